import { MAX_PART_BYTES, MAX_PARTS, type MultipartPart } from "@trainyard/blob";
import { isDomainError } from "@trainyard/domain";
import { bodyChunks } from "../../blobs/body-chunks.ts";
import { pinOf } from "../../blobs/put-blob.ts";
import { param } from "../../rest/route.ts";
import { integer, list, required, text } from "../domain/fields.ts";
import { doesNotExist, invalidParameter } from "../domain/mlflow-error.ts";
import { safePath } from "../domain/safe-path.ts";
import type { ArtifactPlace } from "../domain/uris.ts";
import { type Endpoint, endpoint, type MlflowCall, rawEndpoint } from "../http/endpoint.ts";
import { ownAddress } from "../http/own-address.ts";
import { findLoggedModel } from "../registry/logged-model-words.ts";
import { findRun } from "../tracking/run-words.ts";
import { placeOf, putFile } from "./artifact-store.ts";
import { assertMayUpload, storedQuietly } from "./content.ts";

const mpu = "mlflow-artifacts/mpu";
const upload = { path: required(text), upload_id: required(text) };

/**
 * Large files in parts, each of which a client can send again alone. MLflow's client announces no digest, so the parts come
 * through here, and the upload's id, which only who began it was told, is what it takes to go on with it.
 */
export const multipart: readonly Endpoint[] = [
  endpoint(
    `POST ${mpu}/create/{folder*}`,
    { path: required(text), folder: text, num_parts: integer },
    async ({ path, folder = "", num_parts: count = 1 }, call) => {
      assertMayUpload(call);
      if (count < 1 || count > MAX_PARTS) {
        throw invalidParameter(`num_parts is ${count}; an upload has 1 to ${MAX_PARTS} parts.`);
      }
      await assertOwner(call, placeIn(folder, path));
      const { uploadId } = await call.blobs.beginMultipart();
      const { authorization = "" } = call.request.headers;
      const address = ownAddress(call.request);
      const credentials = Array.from({ length: count }, (_, index) => ({
        url: `${address}/api/2.0/${mpu}/parts/${uploadId}/${index + 1}`,
        part_number: index + 1,
        // MLflow's client sends a part with these headers and none of its own; they are what it has just proved itself with.
        headers: { authorization },
      }));
      return { upload_id: uploadId, credentials };
    },
  ),

  rawEndpoint(`PUT ${mpu}/parts/{upload_id}/{part_number}`, async (call) => {
    assertMayUpload(call);
    const uploadId = param(call, "upload_id");
    await partsOf(call, uploadId);
    const number = Number(param(call, "part_number"));
    assertFits(call, number);
    const { digest } = await storedQuietly(call, () =>
      call.blobs.uploadPart(uploadId, number, bodyChunks(call.request)),
    );
    call.response.setHeader("etag", `"${digest}"`);
    return {};
  }),

  endpoint(
    `POST ${mpu}/complete/{folder*}`,
    { ...upload, folder: text, parts: required(list({ part_number: integer, etag: text, url: text })) },
    async ({ path, folder = "", upload_id: uploadId, parts }, call) => {
      assertMayUpload(call);
      const place = placeIn(folder, path);
      assertSame(await partsOf(call, uploadId), parts);
      const options = { maxBytes: call.blobMaxBytes, pin: pinOf(call.principal) };
      await putFile(call, place, await call.blobs.completeMultipart(uploadId, options));
      return {};
    },
  ),

  endpoint(
    `POST ${mpu}/abort/{folder*}`,
    { ...upload, folder: text },
    async ({ upload_id: uploadId }, call) => {
      assertMayUpload(call);
      await partsOf(call, uploadId);
      await call.blobs.abortMultipart(uploadId);
      return {};
    },
  ),
];

/** Where a file goes: MLflow's client names it by its path on the client's machine. */
function placeIn(folder: string, localPath: string): ArtifactPlace {
  const name = localPath.slice(Math.max(localPath.lastIndexOf("/"), localPath.lastIndexOf("\\")) + 1);
  if (name === "") throw invalidParameter("Invalid path");
  return placeOf(safePath(`${folder}/${name}`));
}

/** Throws for a place in what is not there, before gigabytes are sent to it. */
async function assertOwner(call: MlflowCall, place: ArtifactPlace): Promise<void> {
  if (place.kind === "run") await findRun(call, place.runId);
  else await findLoggedModel(call, place.modelId);
}

/** The parts that have arrived. An upload that was announced with its digest is another client's. */
async function partsOf({ blobs }: MlflowCall, uploadId: string): Promise<readonly MultipartPart[]> {
  const missing = doesNotExist(`There is no upload '${uploadId.slice(0, 80)}': begin a new one.`);
  const { announced, parts } = await blobs.uploadState(uploadId).catch((error: unknown) => {
    throw isDomainError(error) && error.reason === "UPLOAD_NOT_FOUND" ? missing : error;
  });
  if (announced !== undefined) throw missing;
  return parts;
}

/** All parts but the last have one size, so a part tells how much lies before it. */
function assertFits({ request, blobMaxBytes }: MlflowCall, number: number): void {
  const length = Number(request.headers["content-length"] ?? Number.NaN);
  if (!(length >= 0 && length <= MAX_PART_BYTES)) {
    throw invalidParameter(
      `A part has 0 to ${MAX_PART_BYTES} bytes, told by Content-Length: set MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE to no more.`,
    );
  }
  if ((number - 1) * length <= blobMaxBytes) return;
  throw invalidParameter(
    `The upload is larger than ${blobMaxBytes} bytes, the limit of this platform (TRAINYARD_BLOB_MAX_BYTES).`,
  );
}

interface GivenPart {
  readonly part_number: number | undefined;
  readonly etag: string | undefined;
}

/** Throws unless the parts that the client counts are the ones that have arrived. */
function assertSame(arrived: readonly MultipartPart[], given: readonly GivenPart[]): void {
  const digests = new Map(arrived.map(({ partNumber, digest }) => [partNumber, digest]));
  for (const { part_number: number = 0, etag = "" } of given) {
    const digest = digests.get(number);
    if (digest === undefined) throw invalidParameter(`Part ${number} has not arrived: send it again.`);
    if (etag.replaceAll('"', "") !== digest)
      throw invalidParameter(`Part ${number} has another ETag: send it again.`);
  }
  if (given.length !== digests.size) {
    throw invalidParameter(`${digests.size} parts have arrived, and the client names ${given.length}.`);
  }
}
