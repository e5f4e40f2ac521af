import type { Readable } from "node:stream";

/** Keeps a blob from being deleted while someone counts on it: named, and for a limited time. */
export interface Pin {
  /** Who holds it, such as an artifact's or a commit's id. The same holder's next pin replaces this one. */
  readonly holder: string;
  readonly ttlMs: number;
}

export interface PutOptions {
  /** What the content has to hash to (SHA-256, hex); anything else is DIGEST_MISMATCH and leaves nothing behind. */
  readonly expectDigest?: string;
  readonly expectSize?: number;
  /** More than this is BLOB_TOO_LARGE, noticed as soon as it is crossed. */
  readonly maxBytes?: number;
  /** Taken before the blob becomes visible, so that collection cannot come in between. */
  readonly pin?: Pin;
}

export interface BlobInfo {
  readonly sizeBytes: number;
}

export interface PutResult extends BlobInfo {
  /** SHA-256 of the content, lower-case hex. */
  readonly digest: string;
}

export interface ListedBlob extends PutResult {
  /** When it was last put, in Unix milliseconds: a collector leaves young blobs alone. */
  readonly modifiedAt: number;
}

/** Bytes `start` to `end`, both counted from 0 and included; to the last byte without `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number;
}

/** An upload in parts, under way. Its id survives restarts of client and server. */
export interface Multipart {
  readonly uploadId: string;
}

export interface MultipartPart {
  /** From 1; parts are put together in this order. */
  readonly partNumber: number;
  readonly sizeBytes: number;
  /** SHA-256 of the part, by which a client that resumes knows what it need not send again. */
  readonly digest: string;
}

/**
 * Where blobs live. A blob's name is the SHA-256 of its content, so what is stored once never changes, the same bytes
 * are stored once, and two writers of the same content cannot harm each other. A blob is visible whole or not at all,
 * also after a crash at any moment.
 *
 * All methods that take a digest throw `invalid_argument` DIGEST_INVALID for anything but 64 hex digits.
 */
export interface BlobStore {
  /**
   * Stores content. Throws `invalid_argument` DIGEST_MISMATCH or SIZE_MISMATCH, `resource_exhausted` BLOB_TOO_LARGE or
   * BLOB_STORE_FULL; then nothing has become visible. What the source throws is thrown on.
   */
  put(data: AsyncIterable<Uint8Array> | Uint8Array, options?: PutOptions): Promise<PutResult>;
  /** The content, or a range of it. Throws `not_found` BLOB_NOT_FOUND, `invalid_argument` RANGE_INVALID. */
  open(digest: string, range?: ByteRange): Promise<Readable>;
  stat(digest: string): Promise<BlobInfo | undefined>;
  /** All blobs, or those whose digest begins so, in order of digest. */
  list(prefix?: string): AsyncIterable<ListedBlob>;
  /** Removes a blob; one that is not there is no error. Throws `failed_precondition` BLOB_PINNED. */
  delete(digest: string): Promise<void>;

  /**
   * Pins a blob that need not exist yet. Pin first, then ask whether the blob exists: in the other order a collection
   * can come in between.
   */
  pin(digest: string, pin: Pin): Promise<void>;
  unpin(digest: string, holder: string): Promise<void>;
  /** The holders whose pins have not expired. */
  pins(digest: string): Promise<readonly string[]>;

  /** Begins an upload in parts, of the shape that S3 has. */
  beginMultipart(): Promise<Multipart>;
  /** Stores a part; the same number again replaces it. Throws `not_found` UPLOAD_NOT_FOUND. */
  uploadPart(
    uploadId: string,
    partNumber: number,
    data: AsyncIterable<Uint8Array> | Uint8Array,
  ): Promise<MultipartPart>;
  /** The parts that have arrived whole, in order: where to go on. */
  listParts(uploadId: string): Promise<readonly MultipartPart[]>;
  /** Makes a blob of the parts 1, 2, … and ends the upload. Throws as `put`, or PART_MISSING. */
  completeMultipart(uploadId: string, options?: PutOptions): Promise<PutResult>;
  /** Throws the parts away; an upload that is not there is no error. */
  abortMultipart(uploadId: string): Promise<void>;
}
