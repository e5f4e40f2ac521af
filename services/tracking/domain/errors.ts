import { DomainError } from "@trainyard/domain";
import type { RunRecord } from "./run-record.ts";
import { isFinal } from "./run-status.ts";

/** No run has that id, and none of a job of that id. */
export function runNotFound(id: string): DomainError {
  return new DomainError(
    "not_found",
    "RUN_NOT_FOUND",
    `There is no run ${id}, nor a job of that id with a run.`,
    {
      metadata: { run_id: id },
    },
  );
}

/**
 * Throws unless the attempt may still write to the run: it is the newest, and the run has not ended. The caller must
 * also write the run in the same transaction, or a newer attempt could open between this check and the commit.
 */
export function assertNotFenced(run: RunRecord, attempt: number): void {
  const metadata = { run_id: run.id, attempt: String(attempt), current_attempt: String(run.currentAttempt) };
  if (attempt < run.currentAttempt) {
    throw fenced(
      `Attempt ${attempt} of ${run.id} was replaced by attempt ${run.currentAttempt}; stop its ranks.`,
      metadata,
    );
  }
  if (attempt > run.currentAttempt) {
    const message = `Attempt ${attempt} of ${run.id} was never opened; the newest is ${run.currentAttempt}.`;
    throw new DomainError("failed_precondition", "ATTEMPT_NOT_OPEN", message, { metadata });
  }
  if (isFinal(run.status))
    throw fenced(`Run ${run.id} has ended (${run.status}); nothing can be added.`, metadata);
}

/** A newer attempt is open. */
export function fenced(message: string, metadata: Readonly<Record<string, string>>): DomainError {
  return new DomainError("aborted", "ATTEMPT_FENCED", message, { metadata });
}

/** The request is wrong in this field. */
export function invalidField(field: string, description: string, reason = "INVALID_FIELD"): DomainError {
  return new DomainError("invalid_argument", reason, `${field}: ${description}.`, {
    violations: [{ field, description }],
  });
}
