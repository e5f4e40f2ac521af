import type { ByteRange } from "./blob-store.ts";
import { rangeInvalid } from "./errors.ts";

/** Both ends of a range of content that has so many bytes. Throws RANGE_INVALID. */
export function assertRange(range: ByteRange, sizeBytes: number): Required<ByteRange> {
  const { start, end = sizeBytes - 1 } = range;
  const isWhole = Number.isSafeInteger(start) && Number.isSafeInteger(end);
  if (isWhole && start >= 0 && start <= end && end < sizeBytes) return { start, end };
  throw rangeInvalid(`expected a range within 0 to ${sizeBytes - 1}, got ${start} to ${end}`);
}
