import { Code, ConnectError } from "@connectrpc/connect";
import { errorDetails } from "@trainyard/contracts";
import { DomainError, type ErrorCode, isDomainError } from "@trainyard/domain";

const codes: Readonly<Record<Code, ErrorCode>> = {
  [Code.Canceled]: "unavailable",
  [Code.Unknown]: "internal",
  [Code.InvalidArgument]: "invalid_argument",
  [Code.DeadlineExceeded]: "deadline_exceeded",
  [Code.NotFound]: "not_found",
  [Code.AlreadyExists]: "already_exists",
  [Code.PermissionDenied]: "permission_denied",
  [Code.ResourceExhausted]: "resource_exhausted",
  [Code.FailedPrecondition]: "failed_precondition",
  [Code.Aborted]: "aborted",
  [Code.OutOfRange]: "invalid_argument",
  [Code.Unimplemented]: "internal",
  [Code.Internal]: "internal",
  [Code.Unavailable]: "unavailable",
  [Code.DataLoss]: "internal",
  [Code.Unauthenticated]: "unauthenticated",
};

/**
 * What a call failed with, as the error that the command line prints. (The service library has the same mapping for
 * services; loading it would add half a second to each command.)
 */
export function callError(error: unknown, url: string): DomainError {
  if (isDomainError(error)) return error;
  if (isConnectionRefused(error)) {
    return new DomainError("unavailable", "NO_PLATFORM", `no platform answers at ${url}`, { cause: error });
  }
  const failure = ConnectError.from(error);
  const [info] = failure.findDetails(errorDetails.ErrorInfoSchema);
  const [request] = failure.findDetails(errorDetails.BadRequestSchema);
  return new DomainError(
    isBroken(failure) ? "unavailable" : codes[failure.code],
    info?.reason ?? Code[failure.code].replace(/(?<=.)[A-Z]/g, "_$&").toUpperCase(),
    failure.rawMessage,
    {
      violations: (request?.fieldViolations ?? []).map(({ field, description }) => ({ field, description })),
      metadata: info?.metadata ?? {},
      cause: error,
    },
  );
}

/** Nothing listens there, or the name is nobody's: other than a service that is away for a moment behind the gateway. */
export function isConnectionRefused(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const code = "code" in at ? at.code : undefined;
    if (code === "ECONNREFUSED" || code === "ENOTFOUND" || code === "EHOSTUNREACH") return true;
    if (at instanceof AggregateError && at.errors.some(isConnectionRefused)) return true;
  }
  return false;
}

/** Whether the same call may succeed in a moment. */
export function isTransient(error: unknown): boolean {
  const failure = ConnectError.from(error);
  return failure.code === Code.Unavailable || isBroken(failure) || isConnectionRefused(error);
}

/** The connection broke in mid-call, which no service says by itself: its own errors all carry their reason. */
function isBroken(failure: ConnectError): boolean {
  const { code } = failure;
  if (code !== Code.Canceled && code !== Code.Aborted) return false;
  return failure.findDetails(errorDetails.ErrorInfoSchema).length === 0;
}
