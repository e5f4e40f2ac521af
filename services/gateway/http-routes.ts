import type { BlobStore } from "@trainyard/blob";
import { archiveRoute } from "./artifacts/archive-route.ts";
import { artifactRoute } from "./artifacts/artifact-route.ts";
import { getBlobRoute, headBlobRoute } from "./blobs/get-blob.ts";
import { putBlobRoute } from "./blobs/put-blob.ts";
import { putPartRoute } from "./blobs/put-part.ts";
import type { Upstreams } from "./proxy/upstreams.ts";
import { registerRoute, stageRoute } from "./rest/model-routes.ts";
import type { Route } from "./rest/route.ts";
import { runRoute } from "./rest/run-route.ts";

export interface HttpParts {
  readonly upstreams: Upstreams;
  readonly blobs: BlobStore;
  readonly blobMaxBytes: number;
}

/** Everything that plain HTTP clients can do. */
export function httpRoutes({ upstreams, blobs, blobMaxBytes }: HttpParts): readonly Route[] {
  return [
    runRoute(upstreams),
    registerRoute(upstreams),
    stageRoute(upstreams),
    getBlobRoute(blobs),
    headBlobRoute(blobs),
    putBlobRoute(blobs, blobMaxBytes),
    putPartRoute(blobs),
    artifactRoute(upstreams, blobs),
    archiveRoute(upstreams, blobs),
  ];
}
