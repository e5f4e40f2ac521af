import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openBlobStore } from "@trainyard/blob";
import { DomainError } from "@trainyard/domain";

/**
 * Throws BLOB_STORE_UNSEEN unless this machine can read a blob that the platform has just put: a folder of that name may
 * be here too, and be another one. Nothing is made here.
 */
export async function checkBlobs(url: string, digest: string): Promise<void> {
  const folder = url.startsWith("file:") ? fileURLToPath(url) : undefined;
  const seen = folder === undefined || existsSync(folder);
  try {
    if (!seen) throw new Error("there is no such folder");
    for await (const _ of await openBlobStore(url).open(digest));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const message =
      folder === undefined
        ? `The platform's blob store ${url} cannot be read from here: ${why}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for it.`
        : `The platform keeps its blobs in the folder ${folder}, which this machine does not see (${why}). Mount that folder here under the same path, or let the platform keep its blobs in S3.`;
    throw new DomainError("failed_precondition", "BLOB_STORE_UNSEEN", message, { cause });
  }
}
