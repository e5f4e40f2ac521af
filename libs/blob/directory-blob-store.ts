import { randomUUID } from "node:crypto";
import { createReadStream, readdirSync, rmSync, statSync } from "node:fs";
import { rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { DomainError } from "@trainyard/domain";
import type {
  Announced,
  BlobInfo,
  BlobStore,
  BlobStoreOptions,
  ByteRange,
  HeldPin,
  ListedBlob,
  Multipart,
  MultipartPart,
  Pin,
  PutOptions,
  PutResult,
  UploadState,
} from "./blob-store.ts";
import { assertRange } from "./byte-range.ts";
import { assertDigest, isDigest } from "./digest.ts";
import { makeFolderSync, publish, syncFolder, writeTemp } from "./durable-file.ts";
import { blobNotFound, blobPinned, hasCode } from "./errors.ts";
import { expectedOf, UPLOAD_ORPHAN_AGE_MS } from "./multipart.ts";
import { MultipartFiles } from "./multipart-files.ts";
import { namesIn, PinFiles } from "./pin-files.ts";
import { Trash } from "./trash.ts";
import { verifiedContent } from "./verified-content.ts";

const HOUR_MS = 60 * 60_000;

/** A temporary file this old belongs to no writer that still lives. */
const TEMP_ORPHAN_AGE_MS = 24 * HOUR_MS;

const READ_BYTES = 1024 ** 2;

/**
 * Blobs in a folder of one machine: `sha256/ab/cd/<digest>`, with `tmp`, `pins`, `uploads` and `trash` beside it. Several
 * processes may have the folder open. Content is written to a temporary file, synced, and renamed to its digest.
 */
export function openDirectoryBlobStore(root: string, { now = Date.now }: BlobStoreOptions = {}): BlobStore {
  const temp = join(root, "tmp");
  const uploads = join(root, "uploads");
  const trash = join(root, "trash");
  for (const folder of [join(root, "sha256"), temp, uploads, trash]) makeFolderSync(folder);
  const removeOld = () => {
    removeOrphans(temp, now() - TEMP_ORPHAN_AGE_MS);
    removeOrphans(uploads, now() - UPLOAD_ORPHAN_AGE_MS);
  };
  removeOld();
  return new DirectoryBlobStore({
    blobs: join(root, "sha256"),
    temp,
    trash: new Trash(trash),
    pins: new PinFiles(join(root, "pins"), temp, now),
    uploads: new MultipartFiles(uploads, temp, now),
    removeOld,
  });
}

interface Parts {
  readonly blobs: string;
  readonly temp: string;
  readonly trash: Trash;
  readonly pins: PinFiles;
  readonly uploads: MultipartFiles;
  readonly removeOld: () => void;
}

class DirectoryBlobStore implements BlobStore {
  readonly remote = false;
  readonly #blobs: string;
  readonly #temp: string;
  readonly #trash: Trash;
  readonly #pins: PinFiles;
  readonly #uploads: MultipartFiles;
  readonly #removeOld: () => void;

  constructor({ blobs, temp, trash, pins, uploads, removeOld }: Parts) {
    this.#blobs = blobs;
    this.#temp = temp;
    this.#trash = trash;
    this.#pins = pins;
    this.#uploads = uploads;
    this.#removeOld = removeOld;
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
    const path = this.#path(digest);
    if (range === undefined) {
      return verifiedContent(createReadStream(path, { highWaterMark: READ_BYTES }), digest);
    }
    return createReadStream(path, assertRange(range, info.sizeBytes));
  }

  async stat(digest: string): Promise<BlobInfo | undefined> {
    assertDigest("digest", digest);
    const found = await sizeOf(this.#path(digest));
    // One that is being deleted is still there, and then stays.
    if (found !== undefined || !(await this.#trash.restore(digest, this.#path(digest)))) return found;
    return await sizeOf(this.#path(digest));
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
    const holders = () => this.#pins.holders(digest);
    const early = await holders();
    if (early.length > 0) throw blobPinned(digest, early);
    const late = await this.#trash.delete(digest, this.#path(digest), holders);
    if (late.length > 0) throw blobPinned(digest, late);
    await syncFolder(join(this.#path(digest), "..")).catch(ignoreMissing);
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

  listPins(prefix = ""): AsyncIterable<HeldPin> {
    return this.#pins.list(prefix);
  }

  async beginMultipart(announced?: Announced): Promise<Multipart> {
    if (announced !== undefined) assertDigest("digest", announced.digest);
    return { uploadId: await this.#uploads.begin(announced) };
  }

  uploadState(uploadId: string): Promise<UploadState> {
    return this.#uploads.state(uploadId);
  }

  async presignPart(uploadId: string): Promise<undefined> {
    await this.#uploads.state(uploadId);
  }

  uploadPart(
    uploadId: string,
    partNumber: number,
    data: AsyncIterable<Uint8Array> | Uint8Array,
    expectDigest?: string,
  ): Promise<MultipartPart> {
    return this.#uploads.upload(uploadId, partNumber, data, expectDigest);
  }

  listParts(uploadId: string): Promise<readonly MultipartPart[]> {
    return this.#uploads.list(uploadId);
  }

  async completeMultipart(uploadId: string, options: PutOptions = {}): Promise<PutResult> {
    const { announced } = await this.#uploads.state(uploadId);
    try {
      const result = await this.put(this.#uploads.read(uploadId), expectedOf(announced, options));
      await this.#uploads.remove(uploadId);
      return result;
    } catch (error) {
      const isWrong = error instanceof DomainError && error.reason === "DIGEST_MISMATCH";
      if (announced !== undefined && isWrong) await this.#uploads.remove(uploadId);
      throw error;
    }
  }

  abortMultipart(uploadId: string): Promise<void> {
    return this.#uploads.remove(uploadId);
  }

  async tidy(): Promise<void> {
    this.#removeOld();
    await this.#trash.tidy(
      (digest) => this.#pins.holders(digest),
      (digest) => this.#path(digest),
    );
    await this.#pins.tidy();
  }

  #path(digest: string): string {
    return join(this.#blobs, digest.slice(0, 2), digest.slice(2, 4), digest);
  }
}

async function sizeOf(path: string): Promise<BlobInfo | undefined> {
  try {
    return { sizeBytes: (await stat(path)).size };
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

function ignoreMissing(error: unknown): void {
  if (!hasCode(error, "ENOENT")) throw error;
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
