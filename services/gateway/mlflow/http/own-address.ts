import type { HttpRequest } from "../../rest/route.ts";

/** The address by which the client has reached this server, as far as it can be told; behind a proxy, the proxy's. */
export function ownAddress({ headers }: HttpRequest): string {
  const host = headers.host ?? headers[":authority"];
  const scheme = headers["x-forwarded-proto"] === "https" ? "https" : "http";
  return typeof host === "string" && /^[\w.:[\]-]{1,255}$/.test(host) ? `${scheme}://${host}` : "URL";
}
