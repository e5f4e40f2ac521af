import type { HttpRequest } from "../rest/route.ts";

/**
 * A request's body as chunks. Leaving it early does not destroy the request, as iterating over the request itself would:
 * the refusal has to reach the client on the same connection. A body that was cut off throws.
 */
export async function* bodyChunks(request: HttpRequest): AsyncGenerator<Uint8Array> {
  const iterator = request.iterator({ destroyOnReturn: false });
  for await (const chunk of iterator) yield chunk;
  if (request.aborted) throw new Error("the upload was cut off");
}
