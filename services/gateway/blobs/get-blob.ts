import { assertDigest, type BlobStore } from "@trainyard/blob";
import { hasRole } from "@trainyard/service";
import { param, type Route } from "../rest/route.ts";
import { assertReadable, blobNotFound } from "./assert-readable.ts";
import { blobHeaders, setHeaders } from "./blob-headers.ts";
import { pinOf } from "./put-blob.ts";
import { sendBlob } from "./send-blob.ts";

const path = "/api/v1/blobs/{digest}";

/** `GET /api/v1/blobs/{digest}`: the content, or the range that was asked for, as a stream. */
export function getBlobRoute(blobs: BlobStore): Route {
  return {
    method: "GET",
    path,
    role: "viewer",
    async handle(call) {
      await assertReadable(blobs, param(call, "digest"), call.principal);
      await sendBlob(blobs, call, param(call, "digest"));
    },
  };
}

/**
 * `HEAD /api/v1/blobs/{digest}`: whether it exists. For who may upload it is pinned first, so a client that skips an
 * upload because of this answer can count on the blob.
 */
export function headBlobRoute(blobs: BlobStore): Route {
  return {
    method: "HEAD",
    path,
    role: "viewer",
    async handle(call) {
      const { principal, response } = call;
      const digest = param(call, "digest");
      assertDigest("digest", digest);
      // First this: a pin is the project's own, and with it anybody who knows the digest would have a right to read.
      await assertReadable(blobs, digest, principal);
      if (hasRole(principal, "submitter")) await blobs.pin(digest, pinOf(principal));
      const info = await blobs.stat(digest);
      if (info === undefined) throw blobNotFound(digest);
      setHeaders(response, blobHeaders(digest));
      response.setHeader("content-length", info.sizeBytes);
      response.end();
    },
  };
}
