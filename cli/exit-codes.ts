import type { ErrorCode } from "@trainyard/domain";

/** What the command ends with; scripts can rely on these, and `trainyard --help` lists them. */
export const exitCodes = {
  ok: 0,
  /** The job failed, the gate failed, or the platform refused. */
  failed: 1,
  /** Wrong usage or invalid input. */
  invalid: 2,
  notFound: 3,
  /** No token, a wrong one, or one without the role. */
  denied: 4,
  /** No platform answers. */
  unavailable: 5,
  /** What was to be the same is not. */
  differs: 6,
  /** Ended by Ctrl-C. */
  interrupted: 130,
} as const;

/** The exit code for each class of error. */
export const exitCodeOf: Readonly<Record<ErrorCode, number>> = {
  invalid_argument: exitCodes.invalid,
  not_found: exitCodes.notFound,
  already_exists: exitCodes.failed,
  failed_precondition: exitCodes.failed,
  aborted: exitCodes.failed,
  resource_exhausted: exitCodes.failed,
  unavailable: exitCodes.unavailable,
  permission_denied: exitCodes.denied,
  unauthenticated: exitCodes.denied,
  internal: exitCodes.failed,
  deadline_exceeded: exitCodes.unavailable,
};
