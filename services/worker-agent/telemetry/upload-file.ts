import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { type BlobStore, uploadInParts } from "@trainyard/blob";
import { crashPoint } from "@trainyard/failpoint";
import { openInside, UnusableFileError } from "./open-inside.ts";

/** How long a blob is kept for the report that follows its upload: longer than tracking may be away. */
export const PIN_TTL_MS = 7 * 24 * 60 * 60 * 1000;
const CHUNK_BYTES = 1024 * 1024;

/** From here on a file goes over a network in parts, so that what has arrived is not sent again after a failure. */
export const IN_PARTS_FROM_BYTES = 32 * 1024 * 1024;

export interface StoredBlob {
  readonly digest: string;
  readonly sizeBytes: number;
}

export interface UploadSource {
  /** The attempt's directory; the file is inside it. */
  readonly folder: string;
  readonly path: string;
  /** What the rank said of its size, when it did. */
  readonly sizeBytes?: number;
  /** Who pins the blob: the run and attempt. */
  readonly holder: string;
}

/**
 * Stores a rank's file in the blob store: hashed first, then pinned, then uploaded unless it is there. The pin comes
 * before the look, so that no sweep removes between them what is not referred to yet. Doing it again does nothing new.
 */
export async function uploadFile(blobs: BlobStore, source: UploadSource): Promise<StoredBlob> {
  const file = await openInside(source.folder, source.path);
  try {
    const found = await hashOf(file);
    if (source.sizeBytes !== undefined && source.sizeBytes !== found.sizeBytes) {
      const said = `${JSON.stringify(source.path)} has ${found.sizeBytes} bytes, its record says ${source.sizeBytes}`;
      throw new UnusableFileError(said);
    }
    await blobs.pin(found.digest, { holder: source.holder, ttlMs: PIN_TTL_MS });
    if ((await blobs.stat(found.digest)) === undefined) await store(blobs, file, found, source.holder);
    return found;
  } finally {
    await file.close();
  }
}

async function store(
  blobs: BlobStore,
  file: FileHandle,
  { digest, sizeBytes }: StoredBlob,
  owner: string,
): Promise<void> {
  if (!blobs.remote || sizeBytes < IN_PARTS_FROM_BYTES) {
    await blobs.put(contentOf(file), { expectDigest: digest, expectSize: sizeBytes });
    return;
  }
  const read = async (start: number, bytes: number) => {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(bytes), 0, bytes, start);
    return buffer.subarray(0, bytesRead);
  };
  const onPart = () => crashPoint("agent.upload.half");
  await uploadInParts(blobs, { digest, sizeBytes, owner }, read, { onPart });
}

async function hashOf(file: FileHandle): Promise<StoredBlob> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of chunksOf(file)) {
    hash.update(chunk);
    sizeBytes += chunk.length;
  }
  return { digest: hash.digest("hex"), sizeBytes };
}

async function* contentOf(file: FileHandle): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunksOf(file)) {
    yield chunk;
    crashPoint("agent.upload.half");
  }
}

async function* chunksOf(file: FileHandle): AsyncGenerator<Uint8Array> {
  for (let at = 0; ; ) {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
