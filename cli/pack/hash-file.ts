import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

/** SHA-256 (hex) and size of a file, in one pass. */
export async function hashFile(
  file: string,
): Promise<{ readonly digest: string; readonly sizeBytes: number }> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
    // Without an encoding a read stream gives buffers.
    const bytes = chunk as Buffer;
    hash.update(bytes);
    sizeBytes += bytes.length;
  }
  return { digest: hash.digest("hex"), sizeBytes };
}
