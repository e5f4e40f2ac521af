import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
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
  PresignedPart,
  PutOptions,
  PutResult,
  UploadState,
} from "../blob-store.ts";
import { assertRange } from "../byte-range.ts";
import { CheckedContent, checkDigest, checkSize } from "../checked-content.ts";
import { assertDigest, isDigest } from "../digest.ts";
import { blobNotFound, blobPinned, uploadNotFound } from "../errors.ts";
import { expectedOf, UPLOAD_ORPHAN_AGE_MS } from "../multipart.ts";
import { verifiedContent } from "../verified-content.ts";
import { S3Bucket } from "./s3-bucket.ts";
import { S3Deletion } from "./s3-deletion.ts";
import { PRESIGNED_TTL_MS } from "./s3-multipart.ts";
import { S3Pins } from "./s3-pins.ts";
import type { S3Settings } from "./s3-settings.ts";
import { putStream } from "./s3-stream.ts";
import { S3Uploads } from "./s3-uploads.ts";

/** Content up to here is put in one call. */
const ONE_CALL_BYTES = 8 * 1024 ** 2;

/**
 * Blobs in a bucket: `sha256/ab/cd/<digest>`. No key is the beginning of another's path, so that servers which keep
 * objects as files can hold them. What is written says its SHA-256, and S3 refuses it when it arrives as anything else.
 */
export function openS3BlobStore(
  settings: S3Settings,
  { now = Date.now, presignedTtlMs = PRESIGNED_TTL_MS }: BlobStoreOptions = {},
): BlobStore {
  return new S3BlobStore(new S3Bucket(settings), now, presignedTtlMs);
}

class S3BlobStore implements BlobStore {
  readonly remote = true;
  readonly #bucket: S3Bucket;
  readonly #pins: S3Pins;
  readonly #deletion: S3Deletion;
  readonly #uploads: S3Uploads;
  readonly #now: () => number;
  readonly #presignedTtlMs: number;

  constructor(bucket: S3Bucket, now: () => number, presignedTtlMs: number) {
    this.#bucket = bucket;
    this.#now = now;
    this.#presignedTtlMs = presignedTtlMs;
    this.#pins = new S3Pins(bucket, now);
    this.#deletion = new S3Deletion(bucket);
    this.#uploads = new S3Uploads(bucket, now);
  }

  async put(data: AsyncIterable<Uint8Array> | Uint8Array, options: PutOptions = {}): Promise<PutResult> {
    const { expectDigest, pin } = options;
    if (expectDigest !== undefined) assertDigest("digest", expectDigest);
    const content = new CheckedContent(data, options);
    const head = await content.take(ONE_CALL_BYTES);
    if (head.isWhole) {
      const result = content.result();
      if (pin !== undefined) await this.pin(result.digest, pin);
      await this.#bucket.put(keyOf(result.digest), head.bytes, base64(result.digest));
      return result;
    }
    // Of a known digest the upload goes to its place at once: it becomes visible whole, or, when the checks fail, not at all.
    if (expectDigest !== undefined && pin !== undefined) await this.pin(expectDigest, pin);
    const temporary = `staged/${randomUUID()}`;
    const key = expectDigest === undefined ? temporary : keyOf(expectDigest);
    await putStream(this.#bucket, key, content.rest(head.bytes));
    const result = content.result();
    if (expectDigest !== undefined) return result;
    if (pin !== undefined) await this.pin(result.digest, pin);
    await this.#uploads.publish(temporary, keyOf(result.digest), result);
    await this.#bucket.remove(temporary);
    return result;
  }

  async open(digest: string, range?: ByteRange): Promise<Readable> {
    assertDigest("digest", digest);
    if (range === undefined) {
      const content = await this.#bucket.get(keyOf(digest));
      if (content === undefined) throw blobNotFound(digest);
      return verifiedContent(content, digest);
    }
    const info = await this.stat(digest);
    if (info === undefined) throw blobNotFound(digest);
    const { start, end } = assertRange(range, info.sizeBytes);
    const content = await this.#bucket.get(keyOf(digest), `bytes=${start}-${end}`);
    if (content === undefined) throw blobNotFound(digest);
    return content;
  }

  async stat(digest: string): Promise<BlobInfo | undefined> {
    assertDigest("digest", digest);
    return await this.#bucket.head(keyOf(digest));
  }

  async *list(prefix = ""): AsyncGenerator<ListedBlob> {
    for await (const { key, sizeBytes, modifiedAt } of this.#bucket.list(`sha256/${folders(prefix)}`)) {
      const digest = key.slice(key.lastIndexOf("/") + 1);
      if (isDigest(digest) && digest.startsWith(prefix)) yield { digest, sizeBytes, modifiedAt };
    }
  }

  async delete(digest: string): Promise<void> {
    assertDigest("digest", digest);
    const holders = () => this.#pins.holders(digest);
    const early = await holders();
    if (early.length > 0) throw blobPinned(digest, early);
    const held = await this.#deletion.delete(digest, keyOf(digest), holders);
    if (held.length > 0) throw blobPinned(digest, held);
  }

  async pin(digest: string, pin: Pin): Promise<void> {
    assertDigest("digest", digest);
    await this.#pins.add(digest, pin);
    await this.#deletion.settled(digest);
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

  uploadPart(
    uploadId: string,
    partNumber: number,
    data: AsyncIterable<Uint8Array> | Uint8Array,
    expectDigest?: string,
  ) {
    return this.#uploads.put(uploadId, partNumber, data, expectDigest);
  }

  async presignPart(uploadId: string, part: MultipartPart): Promise<PresignedPart> {
    assertDigest("digest", part.digest);
    const expiresAt = this.#now() + this.#presignedTtlMs;
    return { ...(await this.#uploads.presign(uploadId, part, this.#presignedTtlMs)), expiresAt };
  }

  listParts(uploadId: string): Promise<readonly MultipartPart[]> {
    return this.#uploads.list(uploadId);
  }

  async completeMultipart(uploadId: string, options: PutOptions = {}): Promise<PutResult> {
    if (options.expectDigest !== undefined) assertDigest("digest", options.expectDigest);
    const announced = await this.#uploads.announced(uploadId);
    const expected = expectedOf(announced, options);
    const staged = await this.#uploads.stage(uploadId, (sizeBytes) => checkSize(sizeBytes, expected));
    if (staged === undefined) return await this.#completedBefore(uploadId, announced);
    const { from, ...result } = staged;
    if (announced !== undefined && result.digest !== announced.digest) await this.#uploads.remove(uploadId);
    checkDigest(result.digest, expected);
    if (options.pin !== undefined) await this.pin(result.digest, options.pin);
    await this.#uploads.publish(from, keyOf(result.digest), result);
    await this.#uploads.remove(uploadId);
    return result;
  }

  /** Nothing is left of the upload but its record: then its blob is there, and the record goes, too. */
  async #completedBefore(uploadId: string, announced: Announced | undefined): Promise<PutResult> {
    const found = announced === undefined ? undefined : await this.stat(announced.digest);
    await this.#uploads.remove(uploadId);
    if (announced === undefined || found === undefined) throw uploadNotFound(uploadId);
    return { digest: announced.digest, sizeBytes: found.sizeBytes };
  }

  abortMultipart(uploadId: string): Promise<void> {
    return this.#uploads.remove(uploadId);
  }

  async tidy(): Promise<void> {
    await this.#uploads.tidy(this.#now() - UPLOAD_ORPHAN_AGE_MS);
    await this.#deletion.tidy();
  }
}

function keyOf(digest: string): string {
  return `sha256/${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest}`;
}

/** The beginning of the keys of digests that begin so. */
function folders(prefix: string): string {
  if (prefix.length < 2) return prefix;
  if (prefix.length < 4) return `${prefix.slice(0, 2)}/${prefix.slice(2)}`;
  return `${prefix.slice(0, 2)}/${prefix.slice(2, 4)}/${prefix}`;
}

function base64(digest: string): string {
  return Buffer.from(digest, "hex").toString("base64");
}
