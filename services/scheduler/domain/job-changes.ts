/** Every change that a job goes through, as values. Each raises the version by one. */
import { type Attempt, gangSize, type Placement, type ResumePoint } from "./attempt.ts";
import { assertAttemptTransition } from "./attempt-state.ts";
import type { Change, JobEvent } from "./change.ts";
import { explainStarting } from "./explain.ts";
import type { Failure } from "./failure.ts";
import { type Job, liveAttempt, withLiveAttempt } from "./job.ts";
import { assertJobTransition, isFinal, type JobState } from "./job-state.ts";

/** The job one version on, in this state. What explains a wait is dropped with the state it explained. */
export function advance(job: Job, state: JobState): Job {
  if (state !== job.state) assertJobTransition(job.state, state);
  if (state === job.state) return { ...job, version: job.version + 1 };
  const { pending: _waited, ...rest } = job;
  return { ...rest, state, version: job.version + 1 };
}

export function change(from: Job, job: Job, events: readonly JobEvent[] = []): Change {
  return { fromVersion: from.version, job, events };
}

/** The live attempt, which the caller knows to be there. Throws when it is not. */
export function requireLive(job: Job): Attempt {
  const attempt = liveAttempt(job);
  if (attempt === undefined) throw new Error(`job ${job.id} has no live attempt`);
  return attempt;
}

/** Reserves the gang's slots and begins an attempt. */
export function admit(job: Job, placements: readonly Placement[], now: Date): Change {
  const number = (job.attempts.at(-1)?.number ?? 0) + 1;
  const attempt: Attempt = { number, state: "opening", placements, admittedAt: now, endedParts: [] };
  const { notBefore: _passed, ...rest } = advance(job, "starting");
  const pending = {
    reason: "opening-attempt",
    message: `Slots are reserved on ${placements.map(({ nodeId }) => nodeId).join(", ")}; the record of the run is being opened.`,
    slotsNeeded: gangSize(attempt) * job.spec.slotsPerRank,
    slotsFree: 0,
    behindJobId: "",
    position: 0,
  } as const;
  const admitted: Job = { ...rest, pending, attempts: [...job.attempts, attempt] };
  return change(job, admitted, [{ kind: "attempt-admitted", job: admitted, attempt }]);
}

/** Tracking has opened the attempt: it may be handed to the agents. */
export function place(job: Job, opened: { resume?: ResumePoint; traceparent?: string }): Change {
  const attempt = requireLive(job);
  assertAttemptTransition(attempt.state, "placed");
  const pending = explainStarting(job);
  const placed = withLiveAttempt(advance(job, job.state), { ...attempt, ...opened, state: "placed" });
  return change(job, job.state === "starting" ? { ...placed, pending } : placed);
}

/**
 * Asks for the job to stop. A job that waits is over at once; one whose ranks may be alive is over when they are known
 * to be dead. `undefined` when there is nothing to do: it has ended, or was asked to stop before.
 */
export function requestCancel(job: Job, by: string, reason: string, now: Date): Change | undefined {
  if (isFinal(job.state) || job.cancel !== undefined) return undefined;
  const cancel = { by, reason, at: now };
  if (liveAttempt(job) !== undefined) {
    const cancelling: Job = { ...advance(job, "cancelling"), cancel };
    return change(job, cancelling, [{ kind: "cancel-requested", job: cancelling, reason }]);
  }
  const asked: Job = { ...advance(job, job.state), cancel };
  const ended = endJob(asked, "cancelled", now);
  return change(job, ended, [
    { kind: "cancel-requested", job: asked, reason },
    { kind: "ended", job: ended },
  ]);
}

/** The job in a final state. */
export function endJob(
  job: Job,
  state: "succeeded" | "failed" | "cancelled",
  now: Date,
  failure?: Failure,
): Job {
  const { failure: _last, notBefore: _wait, ...rest } = advance(job, state);
  return { ...rest, endedAt: now, ...(failure === undefined ? {} : { failure }) };
}
