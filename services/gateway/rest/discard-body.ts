import type { HttpRequest, HttpResponse } from "./route.ts";

/** How much of a body that nobody wants is taken in, so that the client sees the answer before the end. */
const MAX_DISCARDED_BYTES = 8 * 1024 * 1024;

/**
 * Takes what is left of a request's body after it was answered and throws it away; a client that goes on sending past
 * the limit is cut off. Answering and closing at once would have many clients see a reset in place of the answer.
 */
export function discardBody(request: HttpRequest, response: HttpResponse): void {
  if (request.readableEnded || request.destroyed) return;
  let discarded = 0;
  request.on("error", () => undefined);
  request.on("data", (chunk: Uint8Array) => {
    discarded += chunk.byteLength;
    if (discarded <= MAX_DISCARDED_BYTES) return;
    request.pause();
    if (response.writableFinished) request.destroy();
    else response.once("finish", () => request.destroy());
  });
}
