import { Code, ConnectError } from "@connectrpc/connect";
import { errorDetails } from "@trainyard/contracts";
import { DomainError, type ErrorCode, isDomainError } from "@trainyard/domain";

/** Codes that have no `ErrorCode` of their own become the nearest one. */
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
 * What a call to another service failed with, as the error class that the rest of the code switches on: the reverse of
 * `toConnectError`. An error without ErrorInfo (a connection that failed, another implementation) has its code's name
 * as its reason, such as UNAVAILABLE. A connection that broke in mid-call ends in CANCELED or ABORTED: that is
 * `unavailable` too, for `aborted` is what a service says of a version conflict.
 */
export function fromConnectError(error: unknown): DomainError {
  if (isDomainError(error)) return error;
  const failure = ConnectError.from(error);
  const [info] = failure.findDetails(errorDetails.ErrorInfoSchema);
  const [request] = failure.findDetails(errorDetails.BadRequestSchema);
  const [retry] = failure.findDetails(errorDetails.RetryInfoSchema);
  const delay = retry?.retryDelay;
  return new DomainError(
    info === undefined && failure.code === Code.Aborted ? "unavailable" : codes[failure.code],
    info?.reason ?? upperSnake(Code[failure.code]),
    failure.rawMessage,
    {
      violations: (request?.fieldViolations ?? []).map(({ field, description }) => ({ field, description })),
      metadata: info?.metadata ?? {},
      cause: error,
      ...(delay === undefined
        ? {}
        : { retryAfterMs: Number(delay.seconds) * 1000 + delay.nanos / 1_000_000 }),
    },
  );
}

function upperSnake(camel: string): string {
  return camel.replace(/(?<=.)[A-Z]/g, "_$&").toUpperCase();
}
