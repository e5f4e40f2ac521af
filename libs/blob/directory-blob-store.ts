import { randomUUID } from "node:crypto";
import { createReadStream, readdirSync, rmSync, statSync } from "node:fs";
import { rm, stat, unlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type {
  BlobInfo,
  BlobStore,
  ByteRange,
  ListedBlob,
  Multipart,
  MultipartPart,
  Pin,
  PutOptions,
  PutResult,
} from "./blob-store.ts";
import { assertDigest, isDigest } from "./digest.ts";
import { makeFolderSync, publish, syncFolder, writeTemp } from "./durable-file.ts";
import { blobNotFound, blobPinned, hasCode, rangeInvalid } from "./errors.ts";
import { MultipartFiles } from "./multipart-files.ts";
import { namesIn, PinFiles } from "./pin-files.ts";

const HOUR_MS = 60 * 60_000;

/** A temporary file this old belongs to no writer that still lives. */
const TEMP_ORPHAN_AGE_MS = 24 * HOUR_MS;

/** How long an upload in parts may rest before it is given up. */
const UPLOAD_ORPHAN_AGE_MS = 7 * 24 * HOUR_MS;

export interface DirectoryBlobStoreOptions {
  /** Unix milliseconds; by it pins expire. */
  readonly now?: () => number;
}

/**
 * Blobs in a folder of one machine: `sha256/ab/cd/<digest>`, with `tmp`, `pins` and `uploads` beside it. Several
 * processes may have the folder open. Content is written to a temporary file, synced, and renamed to its digest.
 */
export function openDirectoryBlobStore(
  root: string,
  { now = Date.now }: DirectoryBlobStoreOptions = {},
): BlobStore {
  const temp = join(root, "tmp");
  const uploads = join(root, "uploads");
  for (const folder of [join(root, "sha256"), temp, uploads]) makeFolderSync(folder);
  removeOrphans(temp, now() - TEMP_ORPHAN_AGE_MS);
  removeOrphans(uploads, now() - UPLOAD_ORPHAN_AGE_MS);
  return new DirectoryBlobStore(
    join(root, "sha256"),
    temp,
    new PinFiles(join(root, "pins"), temp, now),
    new MultipartFiles(uploads, temp),
  );
}

class DirectoryBlobStore implements BlobStore {
  readonly #blobs: string;
  readonly #temp: string;
  readonly #pins: PinFiles;
  readonly #uploads: MultipartFiles;

  constructor(blobs: string, temp: string, pins: PinFiles, uploads: MultipartFiles) {
    this.#blobs = blobs;
    this.#temp = temp;
    this.#pins = pins;
    this.#uploads = uploads;
  }

  async put(data: AsyncIterable<Uint8Array> | Uint8Array, options: PutOptions = {}): Promise<PutResult> {
    if (options.expectDigest !== undefined) assertDigest("digest", options.expectDigest);
    const temp = join(this.#temp, randomUUID());
    const written = await writeTemp(temp, data, options);
    try {
      if (options.pin !== undefined) await this.#pins.add(written.digest, options.pin);
      await publish(temp, this.#path(written.digest));
    } catch (error) {
      await rm(temp, { force: true });
      throw error;
    }
    return written;
  }

  async open(digest: string, range?: ByteRange): Promise<Readable> {
    const info = await this.stat(digest);
    if (info === undefined) throw blobNotFound(digest);
    if (range === undefined) return createReadStream(this.#path(digest));
    const { start, end = info.sizeBytes - 1 } = range;
    if (
      !Number.isSafeInteger(start) ||
      !Number.isSafeInteger(end) ||
      start < 0 ||
      start > end ||
      end >= info.sizeBytes
    ) {
      throw rangeInvalid(`expected a range within 0 to ${info.sizeBytes - 1}, got ${start} to ${end}`);
    }
    return createReadStream(this.#path(digest), { start, end });
  }

  async stat(digest: string): Promise<BlobInfo | undefined> {
    assertDigest("digest", digest);
    try {
      return { sizeBytes: (await stat(this.#path(digest))).size };
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  async *list(prefix = ""): AsyncGenerator<ListedBlob> {
    for (const first of await namesIn(this.#blobs)) {
      if (!first.startsWith(prefix.slice(0, 2))) continue;
      for (const second of await namesIn(join(this.#blobs, first))) {
        if (!second.startsWith(prefix.slice(2, 4))) continue;
        for (const digest of await namesIn(join(this.#blobs, first, second))) {
          if (!isDigest(digest) || !digest.startsWith(prefix)) continue;
          const file = await stat(this.#path(digest)).catch(() => undefined); // Deleted meanwhile.
          if (file !== undefined) yield { digest, sizeBytes: file.size, modifiedAt: file.mtimeMs };
        }
      }
    }
  }

  async delete(digest: string): Promise<void> {
    assertDigest("digest", digest);
    const holders = await this.#pins.holders(digest);
    if (holders.length > 0) throw blobPinned(digest, holders);
    try {
      await unlink(this.#path(digest));
    } catch (error) {
      if (hasCode(error, "ENOENT")) return;
      throw error;
    }
    await syncFolder(join(this.#path(digest), ".."));
  }

  async pin(digest: string, pin: Pin): Promise<void> {
    assertDigest("digest", digest);
    await this.#pins.add(digest, pin);
    // A collector that listed this blob as old has to see that someone wants it again.
    const used = new Date();
    await utimes(this.#path(digest), used, used).catch(() => undefined);
  }

  async unpin(digest: string, holder: string): Promise<void> {
    assertDigest("digest", digest);
    await this.#pins.remove(digest, holder);
  }

  async pins(digest: string): Promise<readonly string[]> {
    assertDigest("digest", digest);
    return await this.#pins.holders(digest);
  }

  async beginMultipart(): Promise<Multipart> {
    return { uploadId: await this.#uploads.begin() };
  }

  uploadPart(
    uploadId: string,
    partNumber: number,
    data: AsyncIterable<Uint8Array> | Uint8Array,
  ): Promise<MultipartPart> {
    return this.#uploads.upload(uploadId, partNumber, data);
  }

  listParts(uploadId: string): Promise<readonly MultipartPart[]> {
    return this.#uploads.list(uploadId);
  }

  async completeMultipart(uploadId: string, options: PutOptions = {}): Promise<PutResult> {
    const result = await this.put(this.#uploads.read(uploadId), options);
    await this.#uploads.remove(uploadId);
    return result;
  }

  abortMultipart(uploadId: string): Promise<void> {
    return this.#uploads.remove(uploadId);
  }

  #path(digest: string): string {
    return join(this.#blobs, digest.slice(0, 2), digest.slice(2, 4), digest);
  }
}

/**
 * Removes what crashed writers and clients that never came back have left. Young entries may belong to another process
 * that is writing now.
 */
function removeOrphans(folder: string, before: number): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const entry = statSync(path, { throwIfNoEntry: false });
    if (entry !== undefined && entry.mtimeMs < before) rmSync(path, { recursive: true, force: true });
  }
}
