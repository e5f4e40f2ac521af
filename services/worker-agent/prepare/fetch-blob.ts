import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { BlobStore } from "@trainyard/blob";
import { syncFolder } from "../ranks/durable-file.ts";

const DIGEST = /^[0-9a-f]{64}$/;

/** What a fetched file must be. */
export interface FetchOptions {
  readonly signal: AbortSignal;
  /** Fetching stops with an error beyond so many bytes. */
  readonly maxBytes?: number;
  /** Permissions; readable by the owner only unless told. */
  readonly mode?: number;
}

/**
 * Copies a blob to a file, whole or not at all: written beside it, verified against the digest, synced and renamed. Where
 * a file came from is not trusted, for a digest is what a user's job is recorded with.
 */
export async function fetchBlob(
  blobs: Pick<BlobStore, "open">,
  digest: string,
  path: string,
  options: FetchOptions,
): Promise<void> {
  if (!DIGEST.test(digest)) throw new Error(`${JSON.stringify(digest)} is no SHA-256 digest`);
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = join(folder, `.fetching-${randomUUID()}`);
  try {
    await writeVerified(blobs, digest, temporary, options);
    await rename(temporary, path);
    await syncFolder(folder);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function writeVerified(
  blobs: Pick<BlobStore, "open">,
  digest: string,
  path: string,
  options: FetchOptions,
): Promise<void> {
  const { signal, maxBytes = Number.POSITIVE_INFINITY, mode = 0o600 } = options;
  const hash = createHash("sha256");
  const file = await open(path, "wx", mode);
  try {
    let size = 0;
    for await (const chunk of await blobs.open(digest)) {
      signal.throwIfAborted();
      const bytes: Uint8Array = chunk;
      size += bytes.length;
      if (size > maxBytes) throw new Error(`blob ${digest} is larger than ${maxBytes} bytes`);
      hash.update(bytes);
      await file.writeFile(bytes);
    }
    const actual = hash.digest("hex");
    if (actual !== digest) throw new Error(`blob ${digest} arrived with another content (${actual})`);
    await file.sync();
  } finally {
    await file.close();
  }
}
