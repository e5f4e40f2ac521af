import { createHash } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { digestMismatch, hasCode, sizeMismatch, storeFull, tooLarge } from "./errors.ts";

export interface WriteChecks {
  readonly expectDigest?: string;
  readonly expectSize?: number;
  readonly maxBytes?: number;
}

/**
 * Writes content to a new file and has it on the disk when this resolves, checked. Whatever goes wrong, the file is
 * gone again. The file is not yet under its real name: see `publish`.
 */
export async function writeTemp(
  path: string,
  data: AsyncIterable<Uint8Array> | Uint8Array,
  checks: WriteChecks = {},
): Promise<{ digest: string; sizeBytes: number }> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "wx", 0o600);
    const written = await writeAll(file, data, checks);
    await file.sync();
    await file.close();
    return written;
  } catch (error) {
    await file?.close().catch(() => undefined);
    await rm(path, { force: true });
    throw hasCode(error, "ENOSPC", "EDQUOT") ? storeFull(error) : error;
  }
}

/**
 * Gives a written file its real name, at once and for good: the rename is atomic, and the folder is synced, so that it
 * survives a power cut. A file of that name is replaced.
 */
export async function publish(temp: string, path: string): Promise<void> {
  await makeFolder(dirname(path));
  await rename(temp, path).catch(async (error: unknown) => {
    if (!hasCode(error, "ENOENT")) throw error;
    // The folder was empty, and a sweep took it between the two.
    await makeFolder(dirname(path));
    await rename(temp, path);
  });
  await syncFolder(dirname(path));
}

/** Makes a folder and those above it, each on the disk when this resolves. */
export async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let folder = path; folder.length >= first.length; folder = dirname(folder))
    await syncFolder(dirname(folder));
}

/** As `makeFolder`, for opening a store, before anything else runs. */
export function makeFolderSync(path: string): void {
  const first = mkdirSync(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let folder = path; folder.length >= first.length; folder = dirname(folder)) {
    const above = openSync(dirname(folder), "r");
    fsyncSync(above);
    closeSync(above);
  }
}

/** Has a folder's entries on the disk when this resolves. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function writeAll(
  file: FileHandle,
  data: AsyncIterable<Uint8Array> | Uint8Array,
  { expectDigest, expectSize, maxBytes = Number.POSITIVE_INFINITY }: WriteChecks,
): Promise<{ digest: string; sizeBytes: number }> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of data instanceof Uint8Array ? [data] : data) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > maxBytes) throw tooLarge(maxBytes);
    hash.update(chunk);
    await writeChunk(file, chunk);
  }
  if (expectSize !== undefined && sizeBytes !== expectSize) throw sizeMismatch(expectSize, sizeBytes);
  const digest = hash.digest("hex");
  if (expectDigest !== undefined && digest !== expectDigest) throw digestMismatch(expectDigest, digest);
  return { digest, sizeBytes };
}

/** One write call may take only part of a chunk, as on a disk that is about to be full. */
async function writeChunk(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let offset = 0; offset < chunk.byteLength; ) {
    const { bytesWritten } = await file.write(chunk, offset);
    offset += bytesWritten;
  }
}
