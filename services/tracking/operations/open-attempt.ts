import { DomainError } from "@trainyard/domain";
import { crashPoint } from "@trainyard/failpoint";
import type { Deps } from "../deps.ts";
import { type Checkpoint, filesOf } from "../domain/checkpoint.ts";
import { fenced } from "../domain/errors.ts";
import type { Reporter } from "../domain/reporter.ts";
import { chooseResume, resumePointOf } from "../domain/resume-point.ts";
import { bareRun, type RunRecord } from "../domain/run-record.ts";
import { isFinal } from "../domain/run-status.ts";
import { creatingTransaction } from "../store/session.ts";
import { pinBlobs } from "./held-blobs.ts";

/** Which attempt to begin. */
export interface AttemptToOpen {
  readonly runId: string;
  readonly jobId: string;
  readonly project: string;
  readonly attempt: number;
  /** Where it begins while the run has no checkpoint of its own; absent for step 0. */
  readonly startFrom?: string;
  /** The nodes that it runs on; none where nobody said. */
  readonly reporters?: readonly Reporter[];
  readonly actor: string;
}

/**
 * Begins an attempt: from this commit on nothing of an older one is accepted, and where this one resumes is decided for
 * good. Asked again, it gives the same answer. Throws `aborted` ATTEMPT_FENCED when a newer one is open.
 */
export async function openAttempt(deps: Deps, request: AttemptToOpen): Promise<Checkpoint | undefined> {
  const { runId, jobId, project, attempt, actor, reporters = [] } = request;
  const { runs, checkpoints, metricStates } = deps.records;
  const openedAt = deps.now();
  const start = await heldStart(deps, request);
  const resume = await creatingTransaction(deps.store, "open attempt", async (tx) => {
    const identity = { id: runId, project, jobId, createdBy: actor, createdAt: openedAt };
    const run = (await runs.find(runId, tx)) ?? bareRun(identity);
    const opened = openedBefore(run, request);
    if (opened !== undefined) {
      const from = (opened.resumedFrom ?? opened.startedFrom)?.checkpointId;
      return from === undefined ? undefined : await checkpoints.find(from, tx);
    }
    const resume = chooseResume(run.attempts, await checkpoints.ofRun(runId, tx));
    const begins = resume === undefined ? startedFrom(start) : { resumedFrom: resumePointOf(resume) };
    const { reporters: _, ...before } = run;
    await runs.save(tx, {
      ...before,
      version: run.version + 1,
      currentAttempt: attempt,
      ...(reporters.length === 0 ? {} : { reporters }),
      attempts: [...run.attempts, { number: attempt, openedAt, ...begins }],
      startedAt: run.startedAt ?? openedAt,
    });
    await metricStates.markStale(tx, runId);
    return resume ?? start;
  });
  crashPoint("tracking.attempt.opened");
  deps.signals.raise(runId);
  return resume;
}

/** The checkpoint of another run that this one starts from, its files pinned for this run, so that they outlive that one. */
async function heldStart(deps: Deps, { runId, project, startFrom }: AttemptToOpen) {
  if (startFrom === undefined) return undefined;
  const found = await deps.records.checkpoints.find(startFrom);
  if (found?.state !== "committed") {
    throw new DomainError(
      "failed_precondition",
      "CHECKPOINT_NOT_FOUND",
      `Checkpoint ${startFrom}, which ${runId} starts from, is not there any more.`,
    );
  }
  await pinBlobs(deps, { id: runId, project }, filesOf(found.parts));
  return found;
}

function startedFrom(start: Checkpoint | undefined) {
  if (start === undefined) return {};
  return { startedFrom: { checkpointId: start.id, runId: start.runId, step: start.step } };
}

/** The attempt, if it was opened already; throws if it can never be. */
function openedBefore(
  run: RunRecord,
  { attempt, jobId }: AttemptToOpen,
): RunRecord["attempts"][number] | undefined {
  if (run.jobId !== jobId) {
    throw new DomainError(
      "failed_precondition",
      "RUN_OF_ANOTHER_JOB",
      `Run ${run.id} is of job ${run.jobId}, not ${jobId}.`,
    );
  }
  const metadata = { run_id: run.id, attempt: String(attempt), current_attempt: String(run.currentAttempt) };
  if (attempt < run.currentAttempt) {
    throw fenced(
      `Attempt ${attempt} of ${run.id} cannot open: attempt ${run.currentAttempt} is open.`,
      metadata,
    );
  }
  const opened = run.attempts.find(({ number }) => number === attempt);
  if (opened === undefined && isFinal(run.status)) {
    throw fenced(`Attempt ${attempt} of ${run.id} cannot open: the run has ended (${run.status}).`, metadata);
  }
  return opened;
}
