import type { Logger } from "@trainyard/telemetry";
import type { HttpRequest, HttpResponse } from "./route.ts";

/** A request that failed, and how its client is told. */
export interface Failure {
  readonly error: unknown;
  /** Whose fault it is: the platform's is an error in the log, a refusal is not. */
  readonly isOurs: boolean;
  readonly answer: () => void;
}

/** Tells the client of a failure, unless it went away, and keeps it in the log under what was asked. */
export function answerFailure(
  logger: Logger,
  request: HttpRequest,
  response: HttpResponse,
  gone: AbortSignal,
  { error, isOurs, answer }: Failure,
): void {
  if (gone.aborted) {
    logger.debug({ err: error }, "the client went away");
    return;
  }
  const about = { err: error, method: request.method, path: request.url?.split("?", 1)[0] };
  if (isOurs) logger.error(about, "request failed");
  else logger.debug(about, "request refused");
  // Half of an answer cannot be taken back: cutting it off is how the client learns of it.
  if (response.headersSent) response.destroy();
  else answer();
}
