import {
  assertDigest,
  isHeldIn,
  type MultipartPart,
  partBytesFor,
  type UploadState,
  uploadPin,
} from "@trainyard/blob";
import { DomainError } from "@trainyard/domain";
import { actorOf, type Principal } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { invalidField } from "../domain/errors.ts";
import { MAX_PARTS_PRESIGNED } from "../domain/limits.ts";

type UploadDeps = Pick<Deps, "blobs" | "blobMaxBytes">;

/** An upload that the caller is to go on with; nothing is to be sent where the content is there. */
export type BegunUpload =
  | { readonly kind: "exists" }
  | { readonly kind: "send"; readonly state: UploadState; readonly partBytes: number };

/** Begins an upload, or finds the caller's. A content that is there is pinned for the caller first. */
export async function beginUpload(
  { blobs, blobMaxBytes }: UploadDeps,
  principal: Principal,
  { digest, sizeBytes }: { readonly digest: string; readonly sizeBytes: number },
): Promise<BegunUpload> {
  assertDigest("digest", digest);
  if (sizeBytes < 1) throw invalidField("size_bytes", "expected at least 1; PUT the empty content as a blob");
  if (sizeBytes > blobMaxBytes) {
    const message = `${sizeBytes} bytes are more than ${blobMaxBytes}, the limit of this platform (TRAINYARD_BLOB_MAX_BYTES).`;
    throw new DomainError("resource_exhausted", "BLOB_TOO_LARGE", message);
  }
  if (await isThere(blobs, principal, digest)) return { kind: "exists" };
  const announced = { digest, sizeBytes, owner: actorOf(principal) };
  const { uploadId } = await blobs.beginMultipart(announced);
  return { kind: "send", state: await blobs.uploadState(uploadId), partBytes: partBytesFor(sizeBytes) };
}

/**
 * Whether the content is there for the caller, pinned before it is looked for. Of a project that nothing of holds it, the
 * caller has to send it, and show so that it is his: otherwise a digest would be a key.
 */
async function isThere(blobs: UploadDeps["blobs"], principal: Principal, digest: string): Promise<boolean> {
  const { project } = principal;
  if (project !== undefined && !(await isHeldIn(blobs, digest, project))) return false;
  await blobs.pin(digest, pinOf(principal));
  return (await blobs.stat(digest)) !== undefined;
}

/** Where to send parts. Throws UPLOAD_NOT_FOUND, also for an upload of somebody else. */
export async function presignParts(
  deps: UploadDeps,
  principal: Principal,
  uploadId: string,
  parts: readonly MultipartPart[],
) {
  if (parts.length < 1 || parts.length > MAX_PARTS_PRESIGNED) {
    throw invalidField("parts", `expected 1 to ${MAX_PARTS_PRESIGNED} parts, got ${parts.length}`);
  }
  await ownUpload(deps, principal, uploadId);
  return await Promise.all(
    parts.map(async (part) => {
      assertDigest("parts.digest", part.digest);
      const presigned = await deps.blobs.presignPart(uploadId, part);
      const { partNumber } = part;
      if (presigned !== undefined) return { partNumber, ...presigned };
      const url = `/api/v1/uploads/${uploadId}/parts/${partNumber}`;
      return { partNumber, url, headers: { "x-trainyard-part-sha256": part.digest } };
    }),
  );
}

/** Makes the blob, pinned for the caller. */
export async function completeUpload(deps: UploadDeps, principal: Principal, uploadId: string) {
  await ownUpload(deps, principal, uploadId);
  return await deps.blobs.completeMultipart(uploadId, { pin: pinOf(principal) });
}

/** Throws the parts away. */
export async function abortUpload(deps: UploadDeps, principal: Principal, uploadId: string): Promise<void> {
  try {
    await ownUpload(deps, principal, uploadId);
  } catch (error) {
    if (error instanceof DomainError && error.reason === "UPLOAD_NOT_FOUND") return;
    throw error;
  }
  await deps.blobs.abortMultipart(uploadId);
}

async function ownUpload({ blobs }: UploadDeps, principal: Principal, uploadId: string): Promise<void> {
  const { announced } = await blobs.uploadState(uploadId);
  if (announced?.owner === actorOf(principal)) return;
  const shown = JSON.stringify(uploadId.slice(0, 80));
  throw new DomainError(
    "not_found",
    "UPLOAD_NOT_FOUND",
    `There is no upload ${shown} of yours: begin a new one.`,
  );
}

function pinOf({ project, name }: Principal) {
  return uploadPin(project ?? "default", name);
}
