import { fileURLToPath } from "node:url";
import { DomainError } from "@trainyard/domain";
import type { BlobStore } from "./blob-store.ts";
import { type DirectoryBlobStoreOptions, openDirectoryBlobStore } from "./directory-blob-store.ts";

/**
 * Opens the blob store that a URL names: `file:///absolute/folder` (made if it is not there). Throws `invalid_argument`
 * BLOB_URL_INVALID for anything that is not such a URL, `failed_precondition` BLOB_STORE_NOT_AVAILABLE for S3.
 */
export function openBlobStore(url: string, options: DirectoryBlobStoreOptions = {}): BlobStore {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  switch (parsed?.protocol) {
    case "file:":
      if (parsed.host !== "") throw urlInvalid("a file URL has three slashes: file:///absolute/folder");
      return openDirectoryBlobStore(fileURLToPath(parsed), options);
    case "s3:":
      throw new DomainError(
        "failed_precondition",
        "BLOB_STORE_NOT_AVAILABLE",
        "S3 is not available yet as a blob store. Use a folder: file:///absolute/folder.",
      );
    default:
      throw urlInvalid("expected file:///absolute/folder");
  }
}

function urlInvalid(description: string): DomainError {
  return new DomainError(
    "invalid_argument",
    "BLOB_URL_INVALID",
    `The blob store's URL is not usable: ${description}.`,
    {
      violations: [{ field: "blobUrl", description }],
    },
  );
}
