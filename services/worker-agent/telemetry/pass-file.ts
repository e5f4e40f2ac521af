import { type BlobStore, uploadInParts } from "@trainyard/blob";
import { crashPoint } from "@trainyard/failpoint";
import { openPipe, type Pipe, type ServedFile } from "./open-pipe.ts";
import { IN_PARTS_FROM_BYTES, PIN_TTL_MS } from "./upload-file.ts";

const CHUNK_BYTES = 1024 * 1024;

/**
 * Passes what a rank serves from its memory on into the blob store, one part at a time: nothing is written here, and one part
 * is in memory. What is there already is not asked for. The digest is the rank's word, which the store holds the bytes against.
 */
export async function passFile(
  blobs: BlobStore,
  file: ServedFile,
  { digest, holder }: { readonly digest: string; readonly holder: string },
): Promise<void> {
  await blobs.pin(digest, { holder, ttlMs: PIN_TTL_MS });
  if ((await blobs.stat(digest)) !== undefined) return;
  const { sizeBytes } = file;
  const pipe = await openPipe(file);
  try {
    if (!blobs.remote || sizeBytes < IN_PARTS_FROM_BYTES) {
      await blobs.put(chunksOf(pipe, sizeBytes), { expectDigest: digest, expectSize: sizeBytes });
      return;
    }
    const announced = { digest, sizeBytes, owner: holder };
    await uploadInParts(blobs, announced, intoOneBuffer(pipe), {
      atOnce: 1,
      onPart: () => crashPoint("agent.upload.half"),
    });
  } finally {
    await pipe.close();
  }
}

async function* chunksOf(pipe: Pipe, sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let left = sizeBytes; left > 0; ) {
    const chunk = Buffer.allocUnsafe(Math.min(left, CHUNK_BYTES));
    await pipe.fill(chunk);
    left -= chunk.byteLength;
    yield chunk;
  }
}

/** Reads part after part into the same memory: the one before is sent when the next one is asked for. */
function intoOneBuffer(pipe: Pipe) {
  let memory = Buffer.alloc(0);
  return async (_start: number, bytes: number): Promise<Uint8Array> => {
    if (memory.byteLength < bytes) memory = Buffer.allocUnsafeSlow(bytes);
    const part = memory.subarray(0, bytes);
    await pipe.fill(part);
    return part;
  };
}
