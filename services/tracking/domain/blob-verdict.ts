/** A blob as a collection looks at it. */
export interface SeenBlob {
  /** When it was last stored or pinned, in Unix milliseconds. */
  readonly modifiedAt: number;
  /** Who holds it. */
  readonly holders: readonly string[];
}

/** Why nobody needs a blob; `undefined` while it stays. */
export function whyFree(
  { modifiedAt, holders }: SeenBlob,
  graceMs: number,
  nowMs: number,
): string | undefined {
  if (holders.length > 0 || nowMs - modifiedAt < graceMs) return undefined;
  const hours = Math.floor((nowMs - modifiedAt) / 3_600_000);
  return `nobody holds it, and it was stored or used ${hours} hours ago`;
}
