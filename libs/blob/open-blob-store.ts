import { fileURLToPath } from "node:url";
import type { BlobStore, BlobStoreOptions } from "./blob-store.ts";
import { openDirectoryBlobStore } from "./directory-blob-store.ts";
import { blobUrlInvalid } from "./errors.ts";
import { openS3BlobStore } from "./s3/s3-blob-store.ts";
import { s3Settings } from "./s3/s3-settings.ts";

/**
 * Opens the blob store that a URL names: `file:///absolute/folder` (made if it is not there), or `s3://bucket/prefix`, with
 * `?endpoint=…&region=…` for a server that is not AWS. Credentials of S3 come from where AWS clients look for them, such
 * as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Nothing is asked of S3 before the first use. Throws `invalid_argument`
 * BLOB_URL_INVALID.
 */
export function openBlobStore(url: string, options: BlobStoreOptions = {}): BlobStore {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  switch (parsed?.protocol) {
    case "file:":
      if (parsed.host !== "") throw blobUrlInvalid("a file URL has three slashes: file:///absolute/folder");
      return openDirectoryBlobStore(fileURLToPath(parsed), options);
    case "s3:":
      return openS3BlobStore(s3Settings(parsed, process.env), options);
    default:
      throw blobUrlInvalid("expected file:///absolute/folder or s3://bucket/prefix");
  }
}
