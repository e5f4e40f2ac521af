import { pipeline } from "node:stream/promises";
import { type BlobStore, parseHolder } from "@trainyard/blob";
import { DomainError } from "@trainyard/domain";
import { hasRole, type Principal } from "@trainyard/service";
import { rangeOf } from "../domain/byte-range.ts";
import { type HttpCall, param, type Route } from "../rest/route.ts";
import { setBlobHeaders } from "./blob-headers.ts";
import { pinOf } from "./put-blob.ts";

const path = "/api/v1/blobs/{digest}";

/** `GET /api/v1/blobs/{digest}`: the content, or the range that was asked for, as a stream. */
export function getBlobRoute(blobs: BlobStore): Route {
  return {
    method: "GET",
    path,
    role: "viewer",
    async handle(call) {
      const { request, response, principal } = call;
      await assertReadable(blobs, param(call, "digest"), principal);
      const { digest, sizeBytes } = await describeBlob(blobs, call);
      const range = rangeOf(request.headers.range, sizeBytes);
      if (range.kind === "unsatisfiable") {
        response.setHeader("content-range", `bytes */${sizeBytes}`);
        throw rangeInvalid(sizeBytes);
      }
      setBlobHeaders(response, digest);
      if (request.headers["if-none-match"] === `"${digest}"`) {
        response.statusCode = 304;
        response.end();
        return;
      }
      const whole = range.kind === "whole";
      const content = await blobs.open(digest, whole ? undefined : { start: range.start, end: range.end });
      response.statusCode = whole ? 200 : 206;
      if (!whole) response.setHeader("content-range", `bytes ${range.start}-${range.end}/${sizeBytes}`);
      response.setHeader("content-length", whole ? sizeBytes : range.end - range.start + 1);
      await pipeline(content, response);
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
      if (hasRole(principal, "submitter")) await blobs.pin(param(call, "digest"), pinOf(principal));
      await assertReadable(blobs, param(call, "digest"), principal);
      const { digest, sizeBytes } = await describeBlob(blobs, call);
      setBlobHeaders(response, digest);
      response.setHeader("content-length", sizeBytes);
      response.end();
    },
  };
}

/**
 * Throws BLOB_NOT_FOUND for a caller of a project unless something of that project holds the blob: a digest that leaked is no
 * key. Who may act in every project may read every blob.
 */
async function assertReadable(blobs: BlobStore, digest: string, { project }: Principal): Promise<void> {
  if (project === undefined) return;
  const holders = await blobs.pins(digest);
  if (!holders.some((holder) => parseHolder(holder)?.project === project)) throw notFound(digest);
}

async function describeBlob(blobs: BlobStore, call: HttpCall) {
  const digest = param(call, "digest");
  const info = await blobs.stat(digest);
  if (info !== undefined) return { digest, sizeBytes: info.sizeBytes };
  throw notFound(digest);
}

function notFound(digest: string): DomainError {
  return new DomainError("not_found", "BLOB_NOT_FOUND", `There is no blob ${digest} that you may read.`);
}

function rangeInvalid(sizeBytes: number): DomainError {
  const description = `expected a range that begins within the blob's ${sizeBytes} bytes`;
  return new DomainError("invalid_argument", "RANGE_INVALID", `range: ${description}.`, {
    violations: [{ field: "range", description }],
  });
}
