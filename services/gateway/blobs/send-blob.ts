import { pipeline } from "node:stream/promises";
import { assertDigest, type BlobStore } from "@trainyard/blob";
import { DomainError } from "@trainyard/domain";
import { rangeOf } from "../domain/byte-range.ts";
import type { HttpCall } from "../rest/route.ts";
import { blobNotFound } from "./assert-readable.ts";
import { blobHeaders, setHeaders } from "./blob-headers.ts";

/** Sends a blob's content, or the range that was asked for, or that the client has it; `headers` replace the usual ones. */
export async function sendBlob(
  blobs: BlobStore,
  { request, response }: Pick<HttpCall, "request" | "response">,
  digest: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  assertDigest("digest", digest);
  const info = await blobs.stat(digest);
  if (info === undefined) throw blobNotFound(digest);
  const { sizeBytes } = info;
  const range = rangeOf(request.headers.range, sizeBytes);
  if (range.kind === "unsatisfiable") {
    response.setHeader("content-range", `bytes */${sizeBytes}`);
    throw rangeInvalid(sizeBytes);
  }
  setHeaders(response, { ...blobHeaders(digest), ...headers });
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
}

function rangeInvalid(sizeBytes: number): DomainError {
  const description = `expected a range that begins within the blob's ${sizeBytes} bytes`;
  return new DomainError("invalid_argument", "RANGE_INVALID", `range: ${description}.`, {
    violations: [{ field: "range", description }],
  });
}
