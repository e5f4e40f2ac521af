/**
 * The end of a text in at most `maxBytes` bytes of UTF-8, beginning at a whole character; bytes that are no UTF-8 are
 * replaced. `bytes` may itself be a tail, and so begin in the middle of a character.
 */
export function utf8Tail(bytes: Uint8Array, maxBytes: number): string {
  // A replaced byte becomes three, so the text is cut again after decoding.
  let start = Math.max(0, bytes.length - maxBytes);
  while (start < bytes.length && isContinuation(bytes[start])) start += 1;
  let text = new TextDecoder("utf-8").decode(bytes.subarray(start));
  while (new TextEncoder().encode(text).length > maxBytes) {
    const excess = new TextEncoder().encode(text).length - maxBytes;
    text = [...text].slice(Math.max(1, Math.ceil(excess / 4))).join("");
  }
  return text;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0b1100_0000) === 0b1000_0000;
}
