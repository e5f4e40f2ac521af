/** Bytes of the status message that gRPC wants escaped: everything but printable ASCII, and the escape itself. */
const ESCAPED = /[^\x20-\x7e]|%/u;

/**
 * Spells a `grpc-message` as the gRPC protocol says ("Percent-Encoded"). Connect escapes every reserved character, too,
 * and clients that decode by the letter (grpc-js does) would show "3 slots%2C but 2" to the user.
 */
export function grpcMessage(connectEncoded: string): string {
  return Array.from(decodeURIComponent(connectEncoded), (character) =>
    ESCAPED.test(character) ? encodeURIComponent(character) : character,
  ).join("");
}
