import type { Announced, BlobStore, PutOptions, PutResult } from "./blob-store.ts";
import { digestOf } from "./digest.ts";
import { partBytesFor } from "./multipart.ts";

/** Parts in flight, each of them in memory. */
const PARTS_AT_ONCE = 3;

/** Content that can be read at any place: `read(start, bytes)`. */
export type ReadAt = (start: number, bytes: number) => Promise<Uint8Array>;

/** How content is sent, and who is told. */
export interface UploadInPartsOptions extends Pick<PutOptions, "pin"> {
  readonly onPart?: () => void;
  /** Parts in flight. With 1 they are read in their order, and each is sent before the next is read. */
  readonly atOnce?: number;
}

/**
 * Stores content in parts. Done again after a crash it sends only what has not arrived: a part that is there with its
 * digest is left as it is. `onPart` is called as each part is stored or found.
 */
export async function uploadInParts(
  store: BlobStore,
  announced: Announced,
  read: ReadAt,
  { pin, onPart = () => undefined, atOnce = PARTS_AT_ONCE }: UploadInPartsOptions = {},
): Promise<PutResult> {
  const { sizeBytes } = announced;
  const partBytes = partBytesFor(sizeBytes);
  const { uploadId } = await store.beginMultipart(announced);
  const { parts } = await store.uploadState(uploadId);
  const arrived = new Map(parts.map(({ partNumber, digest }) => [partNumber, digest]));
  const count = Math.max(1, Math.ceil(sizeBytes / partBytes));
  let next = 1;
  let failed = false;
  const sendParts = async () => {
    while (next <= count && !failed) {
      const partNumber = next++;
      const start = (partNumber - 1) * partBytes;
      const bytes = await read(start, Math.min(partBytes, sizeBytes - start));
      const digest = digestOf(bytes);
      if (arrived.get(partNumber) !== digest) await store.uploadPart(uploadId, partNumber, bytes, digest);
      onPart();
    }
  };
  const senders = Array.from({ length: Math.min(atOnce, count) }, () =>
    sendParts().catch((error: unknown) => {
      failed = true;
      throw error;
    }),
  );
  // All have to have stopped before the first failure is told: none may go on reading a file that is closed by then.
  const outcomes = await Promise.allSettled(senders);
  const failure = outcomes.find((outcome) => outcome.status === "rejected");
  if (failure !== undefined) throw failure.reason;
  return await store.completeMultipart(uploadId, pin === undefined ? {} : { pin });
}
