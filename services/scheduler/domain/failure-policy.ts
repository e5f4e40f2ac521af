import type { FailureClass } from "./failure.ts";
import type { JobSpec } from "./job-spec.ts";

/** How a class of failures is retried. */
export interface ClassPolicy {
  /** Retries a job may spend on it where its spec does not say; `undefined`: the spec's `retries`. */
  readonly retries: number | undefined;
  /**
   * When the next attempt starts. `first-at-once`: most such failures are a single lost process, and waiting would only
   * cost training time; `at-once`: nothing is broken; `wait`: what failed is likely to fail again a moment later.
   */
  readonly start: "first-at-once" | "at-once" | "wait";
}

/** Only USER spends the user's own retries. */
export const failurePolicies: Readonly<Record<FailureClass, ClassPolicy>> = {
  user: { retries: undefined, start: "wait" },
  infra: { retries: 20, start: "first-at-once" },
  preempted: { retries: 1_000, start: "at-once" },
  platform: { retries: 20, start: "first-at-once" },
  data: { retries: 5, start: "wait" },
};

/** Longest wait before another attempt. */
export const MAX_RETRY_BACKOFF_MS = 30_000;
const FIRST_BACKOFF_MS = 1_000;

/** How many retries the job may spend on failures of this class. */
export function retryBudget(spec: Pick<JobSpec, "retries" | "budgets">, failureClass: FailureClass): number {
  const own = failureClass === "user" ? spec.retries : spec.budgets?.[failureClass];
  return own ?? failurePolicies[failureClass].retries ?? 0;
}

/** Every retry the job may ever have, for those who count attempts against a limit. */
export function totalBudget(spec: Pick<JobSpec, "retries" | "budgets">): number {
  // The table's own keys.
  const classes = Object.keys(failurePolicies) as FailureClass[];
  return classes.reduce((sum, each) => sum + retryBudget(spec, each), 0);
}

/** The wait before the next attempt, after `streak` failures in a row that brought no new step: 1 s, 2 s, 4 s … 30 s. */
export function retryDelayMs(failureClass: FailureClass, streak: number): number {
  const { start } = failurePolicies[failureClass];
  if (start === "at-once" || (start === "first-at-once" && streak === 0)) return 0;
  const doublings = start === "wait" ? streak : streak - 1;
  return Math.min(MAX_RETRY_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(doublings, 16));
}
