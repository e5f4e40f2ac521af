import type { BlobStore } from "@trainyard/blob";
import { DomainError } from "@trainyard/domain";
import { actorOf, sendJson } from "@trainyard/service";
import { param, type Route } from "../rest/route.ts";
import { bodyChunks } from "./body-chunks.ts";

/** What a part's content has to hash to; PresignParts names it. */
const PART_DIGEST_HEADER = "x-trainyard-part-sha256";

/**
 * `PUT /api/v1/uploads/{upload_id}/parts/{part_number}`: stores a part of an upload where the blob store does not take parts
 * itself. The same part again replaces it; one that was cut off leaves nothing.
 */
export function putPartRoute(blobs: BlobStore): Route {
  return {
    method: "PUT",
    path: "/api/v1/uploads/{upload_id}/parts/{part_number}",
    role: "submitter",
    async handle(call) {
      const { request, response, principal } = call;
      const uploadId = param(call, "upload_id");
      if (blobs.remote) throw notHere();
      const { announced } = await blobs.uploadState(uploadId);
      if (announced?.owner !== actorOf(principal)) throw uploadNotFound(uploadId);
      request.once("end", () => void request.setTimeout(0));
      const expected = request.headers[PART_DIGEST_HEADER];
      const part = await blobs.uploadPart(
        uploadId,
        Number(param(call, "part_number")),
        bodyChunks(request),
        typeof expected === "string" ? expected : undefined,
      );
      sendJson(response, 200, part);
    },
  };
}

function uploadNotFound(uploadId: string): DomainError {
  const shown = JSON.stringify(uploadId.slice(0, 80));
  return new DomainError("not_found", "UPLOAD_NOT_FOUND", `You have no upload ${shown}: begin a new one.`);
}

function notHere(): DomainError {
  return new DomainError(
    "failed_precondition",
    "PART_NOT_HERE",
    "The blob store takes parts itself: send them where ArtifactService.PresignParts says.",
  );
}
