import { create } from "@bufbuild/protobuf";
import type { BlobStore } from "@trainyard/blob";
import { tracking } from "@trainyard/contracts";
import { sendBlob } from "../blobs/send-blob.ts";
import type { Upstreams } from "../proxy/upstreams.ts";
import { param, type Route } from "../rest/route.ts";
import { upstreamCall } from "../rest/upstream-call.ts";
import { contentTypeOf, dispositionOf } from "./content-type.ts";
import { pathQuery } from "./path-query.ts";

/**
 * `GET /api/v1/runs/{run}/artifact?path=…`: a file of a run, whole or a range, with a content type that runs nothing in a
 * browser. Who may read the run may read its files, so tracking decides.
 */
export function artifactRoute(upstreams: Upstreams, blobs: BlobStore): Route {
  return {
    method: "GET",
    path: "/api/v1/runs/{run}/artifact",
    ranks: true,
    async handle(call) {
      const { getArtifact } = tracking.ArtifactService.method;
      const path = pathQuery(call.request.url);
      const request = create(getArtifact.input, { runId: param(call, "run"), path });
      const { artifact } = await upstreams.unary(getArtifact, request, upstreamCall(call));
      if (artifact === undefined) throw new Error("tracking answered without an artifact");
      const { type, inline } = contentTypeOf(artifact.path);
      await sendBlob(blobs, call, artifact.digest, {
        "content-type": type,
        "content-disposition": dispositionOf(artifact.path, inline),
        // A path may have another content tomorrow; its digest is in the ETag.
        "cache-control": "private, no-cache",
        "content-security-policy": "default-src 'none'; sandbox",
      });
    },
  };
}
