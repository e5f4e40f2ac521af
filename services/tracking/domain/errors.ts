import { DomainError } from "@trainyard/domain";
import { isOutside, type RunRecord } from "./run-record.ts";
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

/** Points were acknowledged that the database does not take. */
export function pointsNotStored(runId: string | undefined): DomainError {
  const whose = runId === undefined ? "" : ` of run ${runId}`;
  return new DomainError(
    "unavailable",
    "POINTS_NOT_STORED",
    `Points${whose} that were logged a moment ago are safe, but the database does not take them; ask again.`,
    { retryAfterMs: 1_000 },
  );
}

/** The request is wrong in this field. */
export function invalidField(field: string, description: string, reason = "INVALID_FIELD"): DomainError {
  return new DomainError("invalid_argument", reason, `${field}: ${description}.`, {
    violations: [{ field, description }],
  });
}

/** More was given than a named limit allows: of one request, or with what is stored already. */
export function limitExceeded(
  field: string,
  limit: string,
  maximum: number,
  got: number,
  what: string,
  scope: "request" | "stored" = "request",
): DomainError {
  const description = `expected at most ${maximum} ${what} (${limit}), got ${got}`;
  const code = scope === "request" ? "invalid_argument" : "resource_exhausted";
  return new DomainError(code, "LIMIT_EXCEEDED", `${field}: ${description}.`, {
    violations: [{ field, description }],
    metadata: { limit, maximum: String(maximum), got: String(got) },
  });
}

/** The run is marked as deleted, itself or with its experiment. */
export function runDeleted(id: string): DomainError {
  return new DomainError(
    "failed_precondition",
    "RUN_DELETED",
    `Run ${id} is deleted, itself or with its experiment. Restore it before you change it.`,
    { metadata: { run_id: id } },
  );
}

/** Throws unless parameters and inputs may still be added: what a job's run trained with is settled when it ends. */
export function assertOpenForInputs(run: RunRecord): void {
  if (isOutside(run) || !isFinal(run.status)) return;
  throw runEnded(run);
}

/** The run has ended. */
export function runEnded({ id, status }: RunRecord): DomainError {
  return new DomainError("failed_precondition", "RUN_ENDED", `Run ${id} has ended (${status}).`, {
    metadata: { run_id: id, status },
  });
}

/** The project has no such experiment. */
export function experimentNotFound(idOrName: string): DomainError {
  return new DomainError(
    "not_found",
    "EXPERIMENT_NOT_FOUND",
    `There is no experiment ${JSON.stringify(idOrName)}.`,
    { metadata: { experiment: idOrName } },
  );
}

/** The experiment is marked as deleted. */
export function experimentDeleted({ id, name }: { readonly id: string; readonly name: string }): DomainError {
  return new DomainError(
    "failed_precondition",
    "EXPERIMENT_DELETED",
    `Experiment ${JSON.stringify(name)} (${id}) is deleted. Restore it first.`,
    { metadata: { experiment_id: id } },
  );
}

/** The project has an experiment of that name already; perhaps a deleted one. */
export function experimentExists(known: {
  readonly id: string;
  readonly name: string;
  readonly lifecycle: string;
}): DomainError {
  const { id, name, lifecycle } = known;
  const advice = lifecycle === "deleted" ? "It is deleted: restore it" : "Use it";
  return new DomainError(
    "already_exists",
    "EXPERIMENT_EXISTS",
    `There is an experiment ${JSON.stringify(name)} already (${id}). ${advice}, or choose another name.`,
    { metadata: { experiment_id: id, lifecycle } },
  );
}

/** There is no such tag to remove. */
export function tagNotFound(of: string, key: string): DomainError {
  return new DomainError("not_found", "TAG_NOT_FOUND", `${of} has no tag ${JSON.stringify(key)}.`, {
    metadata: { key },
  });
}
