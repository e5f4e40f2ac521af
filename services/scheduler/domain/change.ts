import type { Attempt, Hung } from "./attempt.ts";
import type { Job } from "./job.ts";
import type { Slowness } from "./slowness.ts";

/** What a change of a job tells the world. `job` is as it was right after the change: its version is the event's. */
export type JobEvent =
  | { readonly kind: "submitted"; readonly job: Job }
  | { readonly kind: "cancel-requested"; readonly job: Job; readonly reason: string }
  | { readonly kind: "ended"; readonly job: Job }
  | { readonly kind: "attempt-admitted"; readonly job: Job; readonly attempt: Attempt }
  | { readonly kind: "attempt-started"; readonly job: Job; readonly attempt: Attempt }
  | { readonly kind: "attempt-yielding"; readonly job: Job; readonly attempt: Attempt }
  | { readonly kind: "hung"; readonly job: Job; readonly attempt: Attempt; readonly hung: Hung }
  | { readonly kind: "idle"; readonly job: Job; readonly attempt: Attempt; readonly idleSince: Date }
  | { readonly kind: "attempt-slowed"; readonly job: Job; readonly attempt: Attempt; readonly news: Slowness }
  | {
      readonly kind: "attempt-ended";
      readonly job: Job;
      readonly attempt: Attempt;
      readonly willRetry: boolean;
    };

/** One atomic change: it is stored if the stored job still has the version it began from, together with its events. */
export interface Change {
  readonly fromVersion: number;
  readonly job: Job;
  /** In order. */
  readonly events: readonly JobEvent[];
}

/** One change after another, stored as one. */
export function both(first: Change, second: Change): Change {
  return {
    fromVersion: first.fromVersion,
    job: second.job,
    events: [...first.events, ...second.events],
  };
}
