import type { HttpResponse } from "../rest/route.ts";

/** Headers of a blob's answer. Content of a digest never changes; what it holds is nobody's to run in a browser. */
export function blobHeaders(digest: string): Readonly<Record<string, string>> {
  return {
    "content-type": "application/octet-stream",
    "accept-ranges": "bytes",
    etag: `"${digest}"`,
    "cache-control": "private, immutable, max-age=31536000",
    "x-content-type-options": "nosniff",
    "content-disposition": "attachment",
  };
}

export function setHeaders(response: HttpResponse, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}
