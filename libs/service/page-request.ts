import type { common } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";

/** Items of one page of a List: when the caller names no number, and at the most. */
export const DEFAULT_PAGE_SIZE = 50;
export const MAX_PAGE_SIZE = 500;

/** A List's page as asked for, with the default filled in. */
export interface PageQuery {
  readonly size: number;
  /** The opaque token of the page before; empty for the first page. */
  readonly token: string;
}

/** Reads a List's page request. Throws invalid_argument PAGE_SIZE_INVALID. */
export function pageQuery(page: Pick<common.PageRequest, "pageSize" | "pageToken"> | undefined): PageQuery {
  const size = page?.pageSize ?? 0;
  if (size < 0 || size > MAX_PAGE_SIZE) {
    const description = `expected 1 to ${MAX_PAGE_SIZE}, or 0 for ${DEFAULT_PAGE_SIZE}, got ${size}`;
    throw new DomainError("invalid_argument", "PAGE_SIZE_INVALID", `page.page_size: ${description}.`, {
      violations: [{ field: "page.page_size", description }],
    });
  }
  return { size: size === 0 ? DEFAULT_PAGE_SIZE : size, token: page?.pageToken ?? "" };
}
