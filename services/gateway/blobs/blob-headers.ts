import type { HttpResponse } from "../rest/route.ts";

/** Headers of a blob's answer. Content of a digest never changes; what it holds is nobody's to run in a browser. */
export function setBlobHeaders(response: HttpResponse, digest: string): void {
  response.setHeader("content-type", "application/octet-stream");
  response.setHeader("accept-ranges", "bytes");
  response.setHeader("etag", `"${digest}"`);
  response.setHeader("cache-control", "private, immutable, max-age=31536000");
  response.setHeader("x-content-type-options", "nosniff");
  response.setHeader("content-disposition", "attachment");
}
