import type { HttpRequest, HttpResponse } from "./route.ts";

/** How long after the answer a body that nobody wants is still taken in. */
const LINGER_MS = 10_000;

/**
 * Takes what is left of a request's body after it was answered and throws it away, until the client has read the answer
 * and ends, or has had the time to. Closing at once would have many clients see a reset in place of the answer: the
 * system drops an answer that is on its way when what arrives is not read.
 */
export function discardBody(request: HttpRequest, response: HttpResponse): void {
  if (request.readableEnded || request.destroyed) return;
  request.on("error", () => undefined);
  request.resume();
  const linger = () => {
    const timer = setTimeout(() => request.destroy(), LINGER_MS);
    for (const over of ["end", "close"]) request.once(over, () => clearTimeout(timer));
  };
  if (response.writableFinished) linger();
  else response.once("finish", linger);
}
