/** Every class of failure that a caller can tell apart; each maps to the gRPC code of the same name. */
export const errorCodes = [
  "invalid_argument",
  "not_found",
  "already_exists",
  "failed_precondition",
  "aborted",
  "resource_exhausted",
  "unavailable",
  "permission_denied",
  "unauthenticated",
  "internal",
  "deadline_exceeded",
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** One wrong field of a request: a dotted path (`spec.ranks`), and what was expected there. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

export interface DomainErrorOptions {
  /** The fields at fault, all of them at once. */
  readonly violations?: readonly FieldViolation[];
  /** Values that a client may switch on or show, such as the limit that was crossed. Never a secret. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** How long to wait before the same call can succeed; only where retrying makes sense. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/**
 * An error that is part of a service's contract: it reaches the caller as it is, with `code` as the status and
 * `reason` (UPPER_SNAKE) as what clients switch on. `message` says what was wrong, where, what was expected and what to
 * do. Anything else that is thrown is a bug, and reaches the caller as "internal error" only.
 */
export class DomainError extends Error {
  override readonly name = "DomainError";
  readonly code: ErrorCode;
  readonly reason: string;
  readonly violations: readonly FieldViolation[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, reason: string, message: string, options: DomainErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.reason = reason;
    this.violations = options.violations ?? [];
    this.metadata = options.metadata ?? {};
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Whether a caught value is a `DomainError`, optionally one with this reason. */
export function isDomainError(error: unknown, reason?: string): error is DomainError {
  return error instanceof DomainError && (reason === undefined || error.reason === reason);
}
