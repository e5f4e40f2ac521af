import { pipeline } from "node:stream/promises";
import { isDomainError } from "@trainyard/domain";
import { hasRole } from "@trainyard/service";
import { bodyChunks } from "../../blobs/body-chunks.ts";
import { pinOf } from "../../blobs/put-blob.ts";
import { doesNotExist, invalidParameter, MlflowError } from "../domain/mlflow-error.ts";
import type { MlflowCall } from "../http/endpoint.ts";
import type { FileContent } from "./artifact-store.ts";

/** Throws PERMISSION_DENIED unless the caller may store files: a submitter, or a rank, whose run is looked at where the file is recorded. */
export function assertMayUpload({ principal }: Pick<MlflowCall, "principal">): void {
  if (principal.kind !== "user" || hasRole(principal, "submitter")) return;
  const held = principal.roles.join(", ") || "no role";
  throw new MlflowError(
    "PERMISSION_DENIED",
    `An upload needs role submitter; ${principal.name} has ${held}.`,
  );
}

/** Waits for the store once the body is in: a silent client is then one that waits for a large file to reach the disk. */
export function storedQuietly<T>(
  { request }: Pick<MlflowCall, "request">,
  store: () => Promise<T>,
): Promise<T> {
  request.once("end", () => void request.setTimeout(0));
  return store();
}

/** Stores the body as it comes, without holding it; what was cut off leaves nothing behind. */
export async function storeBody(call: MlflowCall): Promise<FileContent> {
  const { request, principal, blobs, blobMaxBytes: maxBytes } = call;
  assertMayUpload(call);
  const length = request.headers["content-length"];
  if (length !== undefined && Number(length) > maxBytes) {
    throw invalidParameter(
      `The upload is larger than ${maxBytes} bytes, the limit of this platform (TRAINYARD_BLOB_MAX_BYTES).`,
    );
  }
  const expected = length === undefined ? {} : { expectSize: Number(length) };
  const { digest, sizeBytes } = await storedQuietly(call, () =>
    blobs.put(bodyChunks(request), { maxBytes, pin: pinOf(principal), ...expected }),
  );
  return { digest, sizeBytes };
}

/** Answers with a file's content. */
export async function sendContent(call: MlflowCall, { digest, sizeBytes }: FileContent): Promise<undefined> {
  const { blobs, response } = call;
  const content = await blobs.open(digest).catch((error: unknown) => {
    const gone = isDomainError(error) && error.code === "not_found";
    throw gone ? doesNotExist("The artifact's content is no longer in the blob store.") : error;
  });
  response.statusCode = 200;
  response.setHeader("content-type", "application/octet-stream");
  response.setHeader("content-length", sizeBytes);
  response.setHeader("etag", `"${digest}"`);
  response.setHeader("x-content-type-options", "nosniff");
  response.setHeader("content-disposition", "attachment");
  await pipeline(content, response);
  return undefined;
}
