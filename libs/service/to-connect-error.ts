import type { Duration } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorDetails } from "@trainyard/contracts";
import { DomainError, type ErrorCode, isDomainError } from "@trainyard/domain";
import { currentTraceId } from "@trainyard/telemetry";

/** The `domain` of every ErrorInfo: who defines the reasons. */
export const ERROR_DOMAIN = "trainyard";

/** What a client may be told to wait when a service's database or bus is away. */
const DEPENDENCY_RETRY_MS = 1_000;

const codes: Readonly<Record<ErrorCode, Code>> = {
  invalid_argument: Code.InvalidArgument,
  not_found: Code.NotFound,
  already_exists: Code.AlreadyExists,
  failed_precondition: Code.FailedPrecondition,
  aborted: Code.Aborted,
  resource_exhausted: Code.ResourceExhausted,
  unavailable: Code.Unavailable,
  permission_denied: Code.PermissionDenied,
  unauthenticated: Code.Unauthenticated,
  internal: Code.Internal,
  deadline_exceeded: Code.DeadlineExceeded,
};

/**
 * The one mapping from errors to what a caller sees. A `DomainError` keeps its message and gets its reason, violations
 * and delay as google.rpc details. A Connect error (from another service, or from Connect itself) passes as it is. A
 * database or bus that is away is `unavailable`. Everything else is a bug: the caller sees "internal error" with the
 * trace's id, and nothing of what was thrown.
 */
export function toConnectError(error: unknown, traceId = currentTraceId()): ConnectError {
  if (isDomainError(error)) return fromDomainError(error);
  if (error instanceof ConnectError) return error;
  if (isDependencyAway(error)) {
    return fromDomainError(
      new DomainError(
        "unavailable",
        "DEPENDENCY_UNAVAILABLE",
        "A part that this service needs is away. Try again.",
        {
          retryAfterMs: DEPENDENCY_RETRY_MS,
          cause: error,
        },
      ),
    );
  }
  const where = traceId === undefined ? "" : ` (trace ${traceId})`;
  return fromDomainError(new DomainError("internal", "INTERNAL", `internal error${where}`, { cause: error }));
}

/** Whether `toConnectError` would hide this error: then it has to be logged whole, since nobody else will see it. */
export function isUnexpected(error: unknown): boolean {
  return !isDomainError(error) && !(error instanceof ConnectError);
}

function fromDomainError(error: DomainError): ConnectError {
  const { reason, violations, metadata, retryAfterMs } = error;
  return new ConnectError(
    error.message,
    codes[error.code],
    undefined,
    [
      {
        desc: errorDetails.ErrorInfoSchema,
        value: { reason, domain: ERROR_DOMAIN, metadata: { ...metadata } },
      },
      ...(violations.length === 0
        ? []
        : [
            {
              desc: errorDetails.BadRequestSchema,
              value: { fieldViolations: violations.map((one) => ({ ...one })) },
            },
          ]),
      ...(retryAfterMs === undefined
        ? []
        : [{ desc: errorDetails.RetryInfoSchema, value: { retryDelay: durationOf(retryAfterMs) } }]),
    ],
    error,
  );
}

function durationOf(ms: number): Pick<Duration, "seconds" | "nanos"> {
  const whole = Math.ceil(ms);
  return { seconds: BigInt(Math.floor(whole / 1000)), nanos: (whole % 1000) * 1_000_000 };
}

/**
 * By name, so that this lib needs neither driver: the errors by which mongodb and the NATS client say that the server
 * could not be reached.
 */
function isDependencyAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (AWAY.has(error.name) || isRetryable(error)) return true;
  if (!("code" in error)) return false;
  return (
    BROKEN_SOCKET.has(String(error.code)) ||
    (error.name.startsWith("Mongo") && STARTING_OR_STOPPING.has(Number(error.code)))
  );
}

/** What the driver labels so would have gone well a moment earlier or later. */
function isRetryable(error: Error): boolean {
  if (!("hasErrorLabel" in error) || typeof error.hasErrorLabel !== "function") return false;
  const has = error.hasErrorLabel.bind(error) as (label: string) => boolean;
  return has("RetryableWriteError") || has("TransientTransactionError");
}

/**
 * Codes by which a database says that it is there and cannot answer now, because it starts, stops or elects: as in the
 * driver's specification of retryable writes, and 11601 for an operation that a shutdown interrupted.
 */
const STARTING_OR_STOPPING = new Set([
  6, 7, 89, 91, 189, 9001, 10058, 10107, 11600, 11601, 11602, 13435, 13436,
]);

/** What a connection that breaks in the middle of a write fails with; the database's driver lets it through as it is. */
const BROKEN_SOCKET = new Set(["EPIPE", "ECONNRESET", "ECONNREFUSED"]);

const AWAY = new Set([
  "MongoNetworkError",
  "MongoNetworkTimeoutError",
  "MongoServerSelectionError",
  "MongoPoolClearedError",
  "MongoPoolClosedError",
  "MongoStalePrimaryError",
  "MongoTopologyClosedError",
  "MongoWaitQueueTimeoutError",
  "PoolClearedOnNetworkError",
  "MongoNotPrimaryError",
  "MongoNotConnectedError",
  "CommitUnknownError",
  "ConnectionError",
  "ClosedConnectionError",
  "DrainingConnectionError",
  "NoRespondersError",
  "TimeoutError",
]);
