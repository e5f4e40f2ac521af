import type { Attempt, Hung, Yielding } from "./attempt.ts";
import { errorSignature, isCodeBroken, isSelfInflicted } from "./error-signature.ts";
import { type Failure, failureWithoutRank } from "./failure.ts";
import { retryBudget, retryDelayMs } from "./failure-policy.ts";
import { failureStreak } from "./failure-streak.ts";
import type { Job, RetriesUsed } from "./job.ts";
import { gangStep, rootCause } from "./root-cause.ts";

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
 * What follows the end of an attempt (given with all its parts recorded). A cancelled job is not retried. Otherwise it is
 * retried within the budget of the failure's class, unless trying again is hopeless: see `failurePolicies`.
 */
export function afterAttempt(job: Job, attempt: Attempt): Verdict {
  if (job.cancel !== undefined) return { kind: "cancelled" };
  if (attempt.stopCause === "timeout") return { kind: "fail", failure: timedOut(job) };
  const found = rootCause(attempt);
  if (found === undefined) return { kind: "succeed" };
  const failure = found.reason === "NON_FINITE_METRIC" ? found : stoppedFor(attempt, found);
  const hopeless = whyHopeless(job, attempt, failure);
  return hopeless === undefined ? withinBudget(job, attempt, failure) : { kind: "fail", failure: hopeless };
}

/** What ended a gang that the platform stopped: the platform's reason, not how its ranks took the signal. */
function stoppedFor(attempt: Attempt, found: Failure): Failure {
  const { stopCause, hung, yielding } = attempt;
  if (stopCause === "hung" && hung !== undefined) return hungFailure(attempt, hung);
  if (stopCause === "yield" && yielding !== undefined) return yieldedFailure(attempt, yielding);
  return found;
}

function hungFailure(attempt: Attempt, { rank, step, silentMs, limitMs, stack }: Hung): Failure {
  const seconds = (ms: number) => `${Math.round(ms / 1000)} s`;
  const who =
    rank < 0
      ? "their stacks do not tell who holds the others up"
      : `rank ${rank} is not where the others wait`;
  const message = `The gang made no step for ${seconds(silentMs)} after step ${step} (limit ${seconds(limitMs)}); ${who}. The stacks are in the job's log.`;
  const nodeId = attempt.placements.find(({ ranks }) => ranks.includes(rank))?.nodeId;
  return { ...failureWithoutRank("infra", "HUNG", message, nodeId), rank, step, tracebackTail: stack };
}

function yieldedFailure(attempt: Attempt, { cause, why }: Yielding): Failure {
  const step = gangStep(attempt);
  switch (cause) {
    case "drain":
      return { ...failureWithoutRank("preempted", "NODE_DRAINED", why), step };
    case "grow":
      return { ...failureWithoutRank("preempted", "GANG_RESIZED", why), step };
    case "idle":
      return { ...failureWithoutRank("user", "IDLE", why), step };
  }
}

/** The failure in its final words when no retry can help; `undefined` when one may. */
function whyHopeless(job: Job, attempt: Attempt, failure: Failure): Failure | undefined {
  if (failure.reason === "NON_FINITE_METRIC" || failure.reason === "IDLE") return failure;
  const before = sameAsBefore(job, attempt, failure);
  if (before !== undefined) return repeated(before, attempt, failure);
  if (failure.class !== "user") return undefined;
  if (isCodeBroken(failure)) return endedWith(failure, "Code that cannot be loaded is not retried.");
  if (hasStepped(job, attempt)) return undefined;
  return endedWith(failure, "What fails before the first step would fail again.");
}

/** The attempt before that failed in the same way at the same step: whatever the code does there, it will do again. */
function sameAsBefore(job: Job, attempt: Attempt, failure: Failure): Attempt | undefined {
  if (failure.class !== "user" && !isSelfInflicted(failure.signal)) return undefined;
  const before = job.attempts.findLast(
    (one) => one.number < attempt.number && one.failure?.class !== "preempted",
  );
  if (before?.failure === undefined || before.failure.step !== failure.step) return undefined;
  return errorSignature(before.failure) === errorSignature(failure) ? before : undefined;
}

function repeated(before: Attempt, attempt: Attempt, failure: Failure): Failure {
  const where = failure.step < 0 ? "before the first step" : `at step ${failure.step}`;
  const message = `Attempts ${before.number} and ${attempt.number} failed in the same way ${where}, so a retry would too. ${failure.message}`;
  return { ...failure, reason: "REPEATED_ERROR", message };
}

function withinBudget(job: Job, attempt: Attempt, failure: Failure): Verdict {
  const budget = retryBudget(job.spec, failure.class);
  const used = job.retriesUsed[failure.class] ?? 0;
  if (used >= budget) {
    const whose =
      failure.class === "user" ? "of the job" : `for failures of class ${failure.class.toUpperCase()}`;
    const spent =
      budget === 0 ? undefined : `The ${budget} ${budget === 1 ? "retry" : "retries"} ${whose} are used up.`;
    return { kind: "fail", failure: spent === undefined ? failure : endedWith(failure, spent) };
  }
  const earlier = job.attempts.filter(({ number }) => number < attempt.number);
  return {
    kind: "retry",
    afterMs: retryDelayMs(failure.class, failureStreak(earlier, failure)),
    failure,
    retriesUsed: { ...job.retriesUsed, [failure.class]: used + 1 },
  };
}

/** Whether the code ever did a training step; what fails before that (an import, an argument) fails the same way again. */
function hasStepped(job: Job, attempt: Attempt): boolean {
  const ranks = attempt.endedParts.flatMap(({ outcome }) =>
    outcome.kind === "finalized" ? outcome.ranks : [],
  );
  return (
    ranks.some(({ lastStep, firstStepAt }) => lastStep >= 0 || firstStepAt !== undefined) ||
    job.attempts.some(({ firstStepAt }) => firstStepAt !== undefined)
  );
}

function timedOut(job: Job): Failure {
  return failureWithoutRank(
    "user",
    "TIMEOUT",
    `The job ran longer than its timeout of ${job.spec.timeoutSeconds} s.`,
  );
}

/** The failure with a sentence on why it is the last. */
function endedWith(failure: Failure, sentence: string): Failure {
  const { message } = failure;
  return { ...failure, message: `${message}${/[.!?]$/.test(message) ? "" : "."} ${sentence}` };
}
