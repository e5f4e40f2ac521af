/** A shorter value stands in too much that is not it. */
const MIN_BYTES = 4;
const ASTERISK = 0x2a;

/** Bytes from `begin` on, before `end`. */
interface Range {
  readonly begin: number;
  readonly end: number;
}

/** Puts asterisks in the place of each secret, byte for byte, so that offsets stay what they are. */
export function redact(bytes: Uint8Array, secrets: readonly Uint8Array[]): Uint8Array {
  const redacted = Buffer.from(bytes);
  for (const { begin, end } of occurrences(bytes, secrets)) redacted.fill(ASTERISK, begin, end);
  return redacted;
}

/**
 * How many of these bytes can be let go while more may follow: the rest may be the beginning of a secret, which would be
 * cut in two and not be found in either half. Nor is a secret cut that is there already.
 */
export function safeLength(bytes: Uint8Array, secrets: readonly Uint8Array[]): number {
  let safe = bytes.length - heldBack(bytes, secrets);
  const found = occurrences(bytes, secrets).sort((a, b) => b.begin - a.begin);
  for (const { begin, end } of found) if (begin < safe && safe < end) safe = begin;
  return safe;
}

/** Every occurrence, overlapping ones too. */
function occurrences(bytes: Uint8Array, secrets: readonly Uint8Array[]): Range[] {
  const data = viewOf(bytes);
  const found: Range[] = [];
  for (const secret of secrets.filter(isLongEnough)) {
    for (let at = data.indexOf(secret); at !== -1; at = data.indexOf(secret, at + 1))
      found.push({ begin: at, end: at + secret.length });
  }
  return found;
}

/** Length of the longest end of the bytes that some secret begins with. */
function heldBack(bytes: Uint8Array, secrets: readonly Uint8Array[]): number {
  const data = viewOf(bytes);
  let held = 0;
  for (const secret of secrets.filter(isLongEnough)) {
    for (let length = Math.min(secret.length - 1, data.length); length > held; length -= 1) {
      if (data.subarray(data.length - length).equals(secret.subarray(0, length))) held = length;
    }
  }
  return held;
}

function isLongEnough({ length }: Uint8Array): boolean {
  return length >= MIN_BYTES;
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
