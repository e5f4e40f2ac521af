import type { Attempt } from "./attempt.ts";
import { type Failure, failureWithoutRank } from "./failure.ts";
import type { Job, RetriesUsed } from "./job.ts";
import { rootCause } from "./root-cause.ts";

/** Attempts that failures of machines, platform and data may cost one job. */
export const MAX_INFRA_RETRIES = 20;
/** Longest wait before another attempt. */
export const MAX_RETRY_BACKOFF_MS = 30_000;
const FIRST_BACKOFF_MS = 1_000;

/** What follows an attempt's end. */
export type Verdict =
  | { readonly kind: "succeed" }
  | { readonly kind: "cancelled" }
  | { readonly kind: "fail"; readonly failure: Failure }
  | {
      readonly kind: "retry";
      readonly afterMs: number;
      readonly failure: Failure;
      readonly retriesUsed: RetriesUsed;
    };

/**
 * What follows the end of an attempt (given with all its parts recorded). A cancelled job is not retried. The user's own
 * failures use the retries that the job asked for, unless trying again is hopeless; everything else has a budget of its
 * own, since it is not the user's fault.
 */
export function afterAttempt(job: Job, attempt: Attempt): Verdict {
  if (job.cancel !== undefined) return { kind: "cancelled" };
  if (attempt.stopCause === "timeout") return { kind: "fail", failure: timedOut(job) };
  const failure = rootCause(attempt);
  if (failure === undefined) return { kind: "succeed" };
  if (isRepeated(job, attempt, failure)) return { kind: "fail", failure };
  if (failure.class !== "user") return afterInfraFailure(job, failure);
  return hasStepped(attempt) ? afterUserFailure(job, failure) : { kind: "fail", failure };
}

function afterInfraFailure(job: Job, failure: Failure): Verdict {
  const { infra } = job.retriesUsed;
  if (infra >= MAX_INFRA_RETRIES) {
    const message = `${failure.message} The ${MAX_INFRA_RETRIES} retries for failures that are not the job's own are used up.`;
    return { kind: "fail", failure: { ...failure, message } };
  }
  // The first one at once: most such failures are a single lost process, and waiting would only cost training time.
  const afterMs = infra === 0 ? 0 : backoffMs(infra - 1);
  return { kind: "retry", afterMs, failure, retriesUsed: { ...job.retriesUsed, infra: infra + 1 } };
}

function afterUserFailure(job: Job, failure: Failure): Verdict {
  const { user } = job.retriesUsed;
  if (user >= job.spec.retries) return { kind: "fail", failure };
  return {
    kind: "retry",
    afterMs: backoffMs(user),
    failure,
    retriesUsed: { ...job.retriesUsed, user: user + 1 },
  };
}

/** Signals that a program brings upon itself: SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV. Others come from outside. */
const selfInflictedSignals: readonly number[] = [4, 6, 7, 8, 11];

/** The same end at the same step as the attempt before: whatever the code does there, it will do again. */
function isRepeated(job: Job, attempt: Attempt, failure: Failure): boolean {
  if (failure.class !== "user" && !selfInflictedSignals.includes(failure.signal)) return false;
  const before = job.attempts.find(({ number }) => number === attempt.number - 1)?.failure;
  return (
    before?.class === failure.class &&
    before.exitCode === failure.exitCode &&
    before.signal === failure.signal &&
    before.step === failure.step
  );
}

/** Whether any rank did a training step; code that fails before that (an import, an argument) fails the same way again. */
function hasStepped(attempt: Attempt): boolean {
  const ranks = attempt.endedParts.flatMap(({ outcome }) =>
    outcome.kind === "finalized" ? outcome.ranks : [],
  );
  return ranks.some(({ lastStep, firstStepAt }) => lastStep >= 0 || firstStepAt !== undefined);
}

function timedOut(job: Job): Failure {
  return failureWithoutRank(
    "user",
    "TIMEOUT",
    `The job ran longer than its timeout of ${job.spec.timeoutSeconds} s.`,
  );
}

/** 1 s, 2 s, 4 s … up to the longest wait. */
function backoffMs(retriesBefore: number): number {
  return Math.min(MAX_RETRY_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(retriesBefore, 16));
}
