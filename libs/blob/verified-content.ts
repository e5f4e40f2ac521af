import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { blobCorrupt } from "./errors.ts";

/**
 * The content while it is checked against its digest. The last chunk comes only when all have been found to be right, so
 * that nobody has the whole of a wrong content; then reading fails with BLOB_CORRUPT.
 */
export function verifiedContent(content: Readable, digest: string): Readable {
  const checked = Readable.from(check(content, digest), { objectMode: false });
  // A generator that was never begun does not end what it reads from.
  checked.once("close", () => content.destroy());
  return checked;
}

async function* check(content: Readable, digest: string): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  let held: Uint8Array | undefined;
  for await (const chunk of content) {
    const bytes = chunk as Uint8Array; // A stream without an encoding gives bytes.
    hash.update(bytes);
    if (held !== undefined) yield held;
    held = bytes;
  }
  const actual = hash.digest("hex");
  if (actual !== digest) throw blobCorrupt(digest, actual);
  if (held !== undefined) yield held;
}
