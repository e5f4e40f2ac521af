import { DomainError } from "@trainyard/domain";
import { invalidField } from "./errors.ts";
import { isOutside, type RunRecord } from "./run-record.ts";
import { isFinal, type RunStatus } from "./run-status.ts";

/** What to change of a run; what is absent stays. */
export interface RunUpdate {
  readonly name?: string | undefined;
  readonly note?: string | undefined;
  readonly status?: RunStatus | undefined;
  readonly startedAt?: Date | undefined;
  readonly endedAt?: Date | undefined;
  readonly idleLimitMs?: number | undefined;
}

/**
 * The run after the update, and whether it has ended by it. The final state of a job's run is final, and its status and
 * times are its job's. An outside run is what its client says: it may end differently from what was said before (a
 * client that comes back after its run was given up for lost), and be resumed, which takes its end and its failure away.
 */
export function updateRun(
  run: RunRecord,
  update: RunUpdate,
  now: Date,
): { readonly run: RunRecord; readonly ended: boolean } {
  const { name, note, startedAt, idleLimitMs } = update;
  const told = { ...run, name: name ?? run.name, note: note ?? run.note };
  const { status, endedAt } = update;
  if (status === undefined && endedAt === undefined && startedAt === undefined && idleLimitMs === undefined) {
    return { run: told, ended: false };
  }
  if (!isOutside(run)) throw runOfAJob(run);
  const timed = {
    ...told,
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(idleLimitMs === undefined ? {} : { idleLimitMs }),
  };
  const next = status ?? run.status;
  const { failure: _, endedAt: before, ...open } = timed;
  if (!isFinal(next)) {
    if (endedAt !== undefined) throw invalidField("ended_at", "is only for a run with a final status");
    return { run: { ...open, status: next }, ended: false };
  }
  const again = next === run.status;
  const kept = again ? timed : open;
  return {
    run: { ...kept, status: next, endedAt: endedAt ?? (again ? before : undefined) ?? now },
    ended: !again,
  };
}

function runOfAJob({ id, jobId }: RunRecord): DomainError {
  return new DomainError(
    "failed_precondition",
    "RUN_OF_A_JOB",
    `The status and times of ${id} follow its job ${jobId}; cancel the job to end it.`,
    { metadata: { run_id: id, job_id: jobId } },
  );
}
