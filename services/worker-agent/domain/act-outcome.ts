import type { ErrorCode } from "@trainyard/domain";

/** What to do after acting on a record failed. */
export type ActOutcome =
  /** Try again, for ever: the fault is on the way. */
  | "retry"
  /** The record itself is refused; the next one comes. */
  | "skip"
  /** A newer attempt runs: this one must not write any more. */
  | "fenced";

/** What follows from an answer of tracking. */
export function outcomeOf(code: ErrorCode, reason: string): ActOutcome {
  if (reason === "ATTEMPT_FENCED") return "fenced";
  // The blob store may have lost what was uploaded (another pin ended); doing it all again uploads it again.
  if (reason === "BLOB_MISSING") return "retry";
  // The file was written to between hashing and uploading; from the beginning it is hashed again.
  if (reason === "DIGEST_MISMATCH" || reason === "SIZE_MISMATCH") return "retry";
  switch (code) {
    case "invalid_argument":
    case "already_exists":
    case "failed_precondition":
      return "skip";
    case "not_found":
    case "aborted":
    case "resource_exhausted":
    case "unavailable":
    case "permission_denied":
    case "unauthenticated":
    case "internal":
    case "deadline_exceeded":
      return "retry";
  }
}
