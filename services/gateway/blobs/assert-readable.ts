import { type BlobStore, isHeldIn } from "@trainyard/blob";
import { DomainError } from "@trainyard/domain";
import type { Principal } from "@trainyard/service";

/**
 * Throws BLOB_NOT_FOUND for a caller of a project unless something of that project holds the blob: a digest that leaked is no
 * key. Who may act in every project may read every blob.
 */
export async function assertReadable(
  blobs: Pick<BlobStore, "pins">,
  digest: string,
  { project }: Principal,
): Promise<void> {
  if (project === undefined || (await isHeldIn(blobs, digest, project))) return;
  throw blobNotFound(digest);
}

/** Says the same of a blob that is not there and of one that is nothing to the caller. */
export function blobNotFound(digest: string): DomainError {
  return new DomainError("not_found", "BLOB_NOT_FOUND", `There is no blob ${digest} that you may read.`);
}
