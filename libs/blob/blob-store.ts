import type { Readable } from "node:stream";

/** Keeps a blob from being deleted while someone counts on it: named, and for a limited time. */
export interface Pin {
  /** Who holds it, such as an artifact's or a commit's id. */
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

export interface BlobStoreOptions {
  /** Unix milliseconds; by it pins expire. */
  readonly now?: () => number;
  /** How long URLs work that were made for others to send to. */
  readonly presignedTtlMs?: number;
}

/** A pin that has not ended. */
export interface HeldPin {
  readonly digest: string;
  readonly holder: string;
  /** When it was first taken as it stands, in Unix milliseconds. */
  readonly since: number;
  readonly expiresAt: number;
}

/** What an upload in parts will be, told when it begins: it then completes as that or not at all. */
export interface Announced {
  readonly digest: string;
  readonly sizeBytes: number;
  /** Whose upload it is. The same announcement again finds the upload that is under way. */
  readonly owner: string;
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

/** An upload in parts as it stands. */
export interface UploadState extends Multipart {
  readonly announced?: Announced;
  /** Unix milliseconds. */
  readonly begunAt: number;
  /** Those that have arrived whole, in order. */
  readonly parts: readonly MultipartPart[];
}

/** Where and how a part is sent straight to the store by `PUT`. Whoever has the URL can send it: it is a secret. */
export interface PresignedPart {
  readonly url: string;
  /** To be sent exactly so. */
  readonly headers: Readonly<Record<string, string>>;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

/**
 * Where blobs live. A blob's name is the SHA-256 of its content, so what is stored once never changes, the same bytes
 * are stored once, and two writers of the same content cannot harm each other. A blob is visible whole or not at all,
 * also after a crash at any moment.
 *
 * All methods that take a digest throw `invalid_argument` DIGEST_INVALID for anything but 64 hex digits.
 */
export interface BlobStore {
  /** Whether content goes over a network: then large files are worth sending in parts that need not be sent again. */
  readonly remote: boolean;
  /**
   * Stores content. Throws `invalid_argument` DIGEST_MISMATCH or SIZE_MISMATCH, `resource_exhausted` BLOB_TOO_LARGE or
   * BLOB_STORE_FULL; then nothing has become visible. What the source throws is thrown on.
   */
  put(data: AsyncIterable<Uint8Array> | Uint8Array, options?: PutOptions): Promise<PutResult>;
  /**
   * The content, or a range of it. Throws `not_found` BLOB_NOT_FOUND, `invalid_argument` RANGE_INVALID. The whole content
   * is held against its digest: reading what is damaged ends with `internal` BLOB_CORRUPT before its last bytes. A range
   * cannot be checked so.
   */
  open(digest: string, range?: ByteRange): Promise<Readable>;
  stat(digest: string): Promise<BlobInfo | undefined>;
  /** All blobs, or those whose digest begins so, in order of digest. */
  list(prefix?: string): AsyncIterable<ListedBlob>;
  /**
   * Removes a blob; one that is not there is no error. Throws `failed_precondition` BLOB_PINNED. A pin that is taken at the
   * same moment either keeps the blob, or `stat` after it does not find the blob; it never is there and then goes.
   */
  delete(digest: string): Promise<void>;

  /**
   * Pins a blob that need not exist yet. Pin first, then ask whether the blob exists: in the other order a collection
   * can come in between. The same holder's next pin replaces this one, or the later end of both counts. Throws `unavailable`
   * BLOB_BUSY when a deletion of the blob does not come to its end.
   */
  pin(digest: string, pin: Pin): Promise<void>;
  unpin(digest: string, holder: string): Promise<void>;
  /** The holders whose pins have not expired. */
  pins(digest: string): Promise<readonly string[]>;
  /** All pins that have not expired, or those on blobs whose digest begins so, in order of digest. */
  listPins(prefix?: string): AsyncIterable<HeldPin>;

  /** Begins an upload in parts, of the shape that S3 has, or finds the one that was announced so. */
  beginMultipart(announced?: Announced): Promise<Multipart>;
  /** Throws `not_found` UPLOAD_NOT_FOUND. */
  uploadState(uploadId: string): Promise<UploadState>;
  /**
   * How a part of this digest and size can be sent without passing through here; `undefined` where that is not possible,
   * and `uploadPart` takes it. Throws `not_found` UPLOAD_NOT_FOUND.
   */
  presignPart(uploadId: string, part: MultipartPart): Promise<PresignedPart | undefined>;
  /**
   * Stores a part; the same number again replaces it. Throws `not_found` UPLOAD_NOT_FOUND, `resource_exhausted`
   * PART_TOO_LARGE, `invalid_argument` DIGEST_MISMATCH when it is not what was expected.
   */
  uploadPart(
    uploadId: string,
    partNumber: number,
    data: AsyncIterable<Uint8Array> | Uint8Array,
    expectDigest?: string,
  ): Promise<MultipartPart>;
  /** The parts that have arrived whole, in order: where to go on. */
  listParts(uploadId: string): Promise<readonly MultipartPart[]>;
  /**
   * Makes a blob of the parts 1, 2, … and ends the upload. Throws as `put`, or PART_MISSING, PART_TOO_SMALL. Parts that
   * are not what was announced are thrown away with the upload; otherwise a refused upload can be completed again.
   */
  completeMultipart(uploadId: string, options?: PutOptions): Promise<PutResult>;
  /** Throws the parts away; an upload that is not there is no error. */
  abortMultipart(uploadId: string): Promise<void>;

  /** Removes what crashed writers, deletions and uploads that nobody goes on with have left. For a collector to call. */
  tidy(): Promise<void>;
}
