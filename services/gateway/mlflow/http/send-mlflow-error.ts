import { DomainError, type ErrorCode } from "@trainyard/domain";
import { sendJson } from "@trainyard/service";
import { visibleError } from "../../rest/http-error.ts";
import type { HttpRequest, HttpResponse } from "../../rest/route.ts";
import { MlflowError, type MlflowErrorCode } from "../domain/mlflow-error.ts";
import { ownAddress } from "./own-address.ts";

/** Characters of a message: one that shows what it was given shows no more of it than a person reads. */
const MAX_MESSAGE = 16_384;

/** What a failure of a service is called here when no endpoint has given it MLflow's own words. */
const codes: Readonly<Record<ErrorCode, MlflowErrorCode>> = {
  invalid_argument: "INVALID_PARAMETER_VALUE",
  unauthenticated: "UNAUTHENTICATED",
  permission_denied: "PERMISSION_DENIED",
  not_found: "RESOURCE_DOES_NOT_EXIST",
  already_exists: "RESOURCE_ALREADY_EXISTS",
  failed_precondition: "INVALID_PARAMETER_VALUE",
  aborted: "ABORTED",
  resource_exhausted: "INVALID_PARAMETER_VALUE",
  internal: "INTERNAL_ERROR",
  unavailable: "TEMPORARILY_UNAVAILABLE",
  deadline_exceeded: "DEADLINE_EXCEEDED",
};

/** Any failure as MLflow's clients know it. A limit that asks to wait is RESOURCE_EXHAUSTED, which they repeat; another is a wrong value. */
export function asMlflowError(error: unknown, request: HttpRequest): MlflowError {
  if (error instanceof MlflowError) return error;
  const visible = visibleError(error);
  const { code, retryAfterMs, message } = visible;
  if (code === "unauthenticated")
    return new MlflowError("UNAUTHENTICATED", `${message} ${exportHint(request)}`);
  if (code === "resource_exhausted" && retryAfterMs !== undefined)
    return new MlflowError("RESOURCE_EXHAUSTED", message);
  return new MlflowError(codes[code], message);
}

/** Answers with `{error_code, message}`. */
export function sendMlflowError(request: HttpRequest, response: HttpResponse, error: unknown): void {
  const { status, code, message } = asMlflowError(error, request);
  if (status === 401)
    response.setHeader("www-authenticate", 'Bearer realm="trainyard", Basic realm="trainyard"');
  const retryAfterMs = error instanceof DomainError ? error.retryAfterMs : undefined;
  if (retryAfterMs !== undefined) response.setHeader("retry-after", String(Math.ceil(retryAfterMs / 1000)));
  sendJson(response, status, { error_code: code, message: message.slice(0, MAX_MESSAGE) });
}

function exportHint(request: HttpRequest): string {
  return `An MLflow client finds both in its environment: export MLFLOW_TRACKING_URI=${ownAddress(request)} MLFLOW_TRACKING_TOKEN=TOKEN (trainyard env prints them).`;
}
