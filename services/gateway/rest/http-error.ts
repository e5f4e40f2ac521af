import { DomainError, type ErrorCode } from "@trainyard/domain";
import { fromConnectError, sendJson, toConnectError } from "@trainyard/service";
import type { HttpResponse } from "./route.ts";

const statuses: Readonly<Record<ErrorCode, number>> = {
  invalid_argument: 400,
  unauthenticated: 401,
  permission_denied: 403,
  not_found: 404,
  already_exists: 409,
  aborted: 409,
  failed_precondition: 409,
  resource_exhausted: 429,
  internal: 500,
  unavailable: 503,
  deadline_exceeded: 504,
};

/** Where HTTP has a status of its own for what went wrong. */
const statusesByReason: ReadonlyMap<string, number> = new Map([
  ["METHOD_NOT_ALLOWED", 405],
  ["BODY_TOO_LARGE", 413],
  ["BLOB_TOO_LARGE", 413],
  ["CONTENT_TYPE_UNSUPPORTED", 415],
  ["RANGE_INVALID", 416],
  ["BLOB_STORE_FULL", 507],
]);

/** Any failure as the error that the client is told: what only the log may know becomes "internal error". */
export function visibleError(error: unknown): DomainError {
  return error instanceof DomainError ? error : fromConnectError(toConnectError(error));
}

/** Answers with a failure: `{code, reason, message, violations}`, and the headers that belong to its status. */
export function sendError(response: HttpResponse, error: DomainError): void {
  const { code, reason, message, violations, retryAfterMs } = error;
  const status = statusesByReason.get(reason) ?? statuses[code];
  if (status === 401) response.setHeader("www-authenticate", 'Bearer realm="trainyard"');
  if (retryAfterMs !== undefined) response.setHeader("retry-after", String(Math.ceil(retryAfterMs / 1000)));
  sendJson(response, status, { code, reason, message, violations });
}
