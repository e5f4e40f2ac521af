/** How often a text may be percent-encoded. More only hides something, and each time costs a pass over the text. */
const MAX_ENCODINGS = 8;

/** The text decoded as often as it is encoded, so that nothing hides in it; undefined when that is too often. */
export function decodeWhole(text: string): string | undefined {
  let current = text;
  for (let pass = 0; pass <= MAX_ENCODINGS; pass++) {
    const next = once(current);
    if (next === current) return current;
    current = next;
  }
  return undefined;
}

function once(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
