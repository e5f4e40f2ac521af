/** Content-addressed storage of what is too large for the database: code, shards, checkpoints, models, reports. */
export type {
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
export { assertDigest, digestOf, isDigest } from "./digest.ts";
export { openBlobStore } from "./open-blob-store.ts";
