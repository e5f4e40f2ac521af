import { assertDigest, type BlobStore, type Pin, uploadPin } from "@trainyard/blob";
import { DomainError } from "@trainyard/domain";
import { type Principal, sendJson } from "@trainyard/service";
import { param, type Route } from "../rest/route.ts";
import { bodyChunks } from "./body-chunks.ts";

/** What keeps a caller's upload until something refers to it. */
export function pinOf({ project, name }: Principal): Pin {
  return uploadPin(project ?? "default", name);
}

/**
 * `PUT /api/v1/blobs/{digest}`: stores the body if it has that SHA-256; 201 when it is new, 200 when it was there. What
 * was cut off or is something else leaves nothing behind.
 */
export function putBlobRoute(blobs: BlobStore, maxBytes: number): Route {
  return {
    method: "PUT",
    path: "/api/v1/blobs/{digest}",
    role: "submitter",
    async handle(call) {
      const { request, response, principal } = call;
      const digest = param(call, "digest");
      assertDigest("digest", digest);
      const length = request.headers["content-length"];
      if (length !== undefined && Number(length) > maxBytes) throw tooLarge(maxBytes);
      // Once the body is in, a silent client is one that waits for a large file to reach the disk.
      request.once("end", () => void request.setTimeout(0));
      const existed = (await blobs.stat(digest)) !== undefined;
      const stored = await blobs.put(bodyChunks(request), {
        expectDigest: digest,
        maxBytes,
        pin: pinOf(principal),
        ...(length === undefined ? {} : { expectSize: Number(length) }),
      });
      sendJson(response, existed ? 200 : 201, { digest: stored.digest, sizeBytes: stored.sizeBytes });
    },
  };
}

function tooLarge(maxBytes: number): DomainError {
  return new DomainError(
    "resource_exhausted",
    "BLOB_TOO_LARGE",
    `The upload is larger than ${maxBytes} bytes, the limit of this platform (TRAINYARD_BLOB_MAX_BYTES).`,
    { metadata: { maxBytes: String(maxBytes) } },
  );
}
