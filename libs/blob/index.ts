/** Content-addressed storage of what is too large for the database: code, shards, checkpoints, models, reports. */
export type {
  Announced,
  BlobInfo,
  BlobStore,
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
} from "./blob-store.ts";
export { assertDigest, digestOf, isDigest } from "./digest.ts";
export { type Holder, holderName, isHeldIn, parseHolder, uploadPin } from "./holder.ts";
export { MAX_PART_BYTES, MAX_PARTS, partBytesFor } from "./multipart.ts";
export { openBlobStore } from "./open-blob-store.ts";
export { type ReadAt, uploadInParts } from "./upload-in-parts.ts";
