import type { BlobStore } from "@trainyard/blob";
import { assertArtifactPath } from "@trainyard/domain";
import { Header, Pax } from "tar";

const BLOCK = 512;
const PLAIN_MODE = 0o644;

/** A file of an archive. */
export interface ArchivedFile {
  readonly path: string;
  readonly digest: string;
  readonly sizeBytes: bigint;
}

/**
 * A tar (POSIX pax format) of files in the blob store, made as it is read: one chunk of one file is in memory. Every name
 * is checked again, since whoever unpacks it trusts it: none is absolute, climbs, or has a name in another Unicode form.
 */
export async function* tarOf(
  blobs: Pick<BlobStore, "open">,
  files: readonly ArchivedFile[],
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (const { path, digest, sizeBytes } of files) {
    signal?.throwIfAborted();
    assertArtifactPath("path", path);
    const size = Number(sizeBytes);
    yield headerOf(path, size);
    let sent = 0;
    for await (const chunk of await blobs.open(digest)) {
      const bytes = chunk as Uint8Array; // A blob's stream has no encoding.
      sent += bytes.length;
      yield bytes;
    }
    if (sent !== size) throw new Error(`blob ${digest} has ${sent} bytes, and ${size} are recorded`);
    yield Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
  }
  yield Buffer.alloc(2 * BLOCK);
}

function headerOf(path: string, size: number): Uint8Array {
  const about = { path, size, mode: PLAIN_MODE, mtime: new Date(0), uid: 0, gid: 0 };
  const block = Buffer.alloc(BLOCK);
  const needsPax = new Header({ ...about, type: "File" }).encode(block);
  return needsPax ? Buffer.concat([new Pax(about).encode(), block]) : block;
}
