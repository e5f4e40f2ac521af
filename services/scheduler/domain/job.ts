import type { Attempt } from "./attempt.ts";
import { holdsSlots } from "./attempt-state.ts";
import type { Failure } from "./failure.ts";
import type { JobSpec, ResolvedDataset } from "./job-spec.ts";
import type { JobState } from "./job-state.ts";
import type { Pending } from "./pending.ts";

/** A submitted job. Every change makes a new value with `version` raised by one. */
export interface Job {
  readonly id: string;
  readonly project: string;
  readonly spec: JobSpec;
  readonly state: JobState;
  readonly runId: string;
  readonly dataset?: ResolvedDataset;
  /** Explains a wait; not part of the versioned state, since it follows from other jobs and the fleet. */
  readonly pending?: Pending;
  readonly failure?: Failure;
  /** Oldest first. */
  readonly attempts: readonly Attempt[];
  readonly version: number;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly startedAt?: Date;
  readonly endedAt?: Date;
  /** W3C trace context of the submit. */
  readonly traceparent?: string;
  /** The next attempt may not begin before this. */
  readonly notBefore?: Date;
  /** Retries consumed, by whose failure it was. */
  readonly retriesUsed: RetriesUsed;
  readonly cancel?: { readonly by: string; readonly reason: string; readonly at: Date };
}

/** Retries consumed, by whose failure it was; jobs of before there were so many classes lack the later ones. */
export interface RetriesUsed {
  readonly user: number;
  readonly infra: number;
  readonly platform?: number;
  readonly data?: number;
  readonly preempted?: number;
}

/** The attempt that holds slots now, if one does. It is always the newest. */
export function liveAttempt(job: Pick<Job, "attempts">): Attempt | undefined {
  const newest = job.attempts.at(-1);
  return newest !== undefined && holdsSlots(newest.state) ? newest : undefined;
}

/** The job with its newest attempt replaced. */
export function withLiveAttempt(job: Job, attempt: Attempt): Job {
  return { ...job, attempts: [...job.attempts.slice(0, -1), attempt] };
}
