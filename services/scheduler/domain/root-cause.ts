import type { Attempt, RankReport } from "./attempt.ts";
import { exceptionLine } from "./exception-line.ts";
import { type Failure, type FailureClass, failureWithoutRank } from "./failure.ts";
import { hasFailed } from "./part-view.ts";
import { describeSignal } from "./signal-names.ts";

/** Reasons that an agent gives for not starting, by whose failure they are. */
const startFailureClasses: Readonly<Record<string, FailureClass>> = {
  DATA_FETCH_FAILED: "data",
  CODE_FETCH_FAILED: "platform",
  CHECKPOINT_FETCH_FAILED: "platform",
  START_FAILED: "platform",
  // What the job lists cannot be installed: it is the job's, and will be so the next time.
  PYTHON_ENVIRONMENT_FAILED: "user",
  PYTHON_PACKAGES_UNREACHABLE: "data",
};

/**
 * Why an ended attempt did not succeed; `undefined` when every rank did. What a lost machine does to the survivors
 * (their collectives raise, they exit 1) looks like a failure of the user's code, so a lost node comes first. After it
 * comes a part that never started, and then the rank that failed first, by its node's clock and, on one node, by order.
 * The step is the gang's: ranks go in step, and often only rank 0 reports it.
 */
export function rootCause(attempt: Attempt): Failure | undefined {
  const cause = lostPart(attempt) ?? failedRank(attempt) ?? failedStart(attempt) ?? missingExit(attempt);
  return cause === undefined ? undefined : { ...cause, step: gangStep(attempt) };
}

/** The highest step that any rank reported; -1 when none did. */
function gangStep(attempt: Attempt): number {
  return reports(attempt).reduce((highest, { lastStep }) => Math.max(highest, lastStep), -1);
}

function lostPart(attempt: Attempt): Failure | undefined {
  const part = attempt.endedParts.find(({ outcome }) => outcome.kind === "lost" || outcome.kind === "gone");
  if (part === undefined) return undefined;
  if (part.outcome.kind === "lost") {
    return failureWithoutRank("infra", "NODE_LOST", `Node ${part.nodeId} fell silent and was declared lost.`);
  }
  const message = `Node ${part.nodeId} has nothing of the attempt any more: the machine or its agent's folder was lost.`;
  return failureWithoutRank("infra", "RANKS_GONE", message);
}

function failedStart(attempt: Attempt): Failure | undefined {
  for (const { nodeId, outcome } of attempt.endedParts) {
    if (outcome.kind !== "failed-to-start") continue;
    const failureClass = startFailureClasses[outcome.reason] ?? "platform";
    const reason = outcome.reason || "START_FAILED";
    const failure = failureWithoutRank(failureClass, reason, `Node ${nodeId}: ${outcome.message}`);
    return { ...failure, tracebackTail: outcome.tail ?? "" };
  }
  return undefined;
}

function reports(attempt: Attempt): readonly RankReport[] {
  return attempt.endedParts.flatMap(({ outcome }) => (outcome.kind === "finalized" ? outcome.ranks : []));
}

/** Who ended first: by the node's clock, then by the order on the node. */
export function byEnd(a: RankReport, b: RankReport): number {
  const at = (rank: RankReport) => rank.exit?.at.getTime() ?? 0;
  return at(a) - at(b) || (a.exit?.order ?? 0) - (b.exit?.order ?? 0) || a.rank - b.rank;
}

function failedRank(attempt: Attempt): Failure | undefined {
  const first = reports(attempt).filter(hasFailed).sort(byEnd)[0];
  if (first?.exit === undefined) return undefined;
  const { code, signal, tracebackTail } = first.exit;
  const step = gangStep(attempt);
  const when = step < 0 ? "before its first step" : `at step ${step}`;
  const rest = { rank: first.rank, exitCode: code, signal, tracebackTail, step };
  if (signal !== 0) {
    const message = `Rank ${first.rank} was killed by ${describeSignal(signal)} ${when}.`;
    return { class: "infra", reason: "RANK_KILLED", message, ...rest };
  }
  const raised = exceptionLine(tracebackTail);
  const message = `Rank ${first.rank} exited with ${code} ${when}${raised === undefined ? "." : `: ${raised}`}`;
  return { class: "user", reason: "RANK_EXITED", message, ...rest };
}

function missingExit(attempt: Attempt): Failure | undefined {
  const ended = new Set(reports(attempt).flatMap(({ rank, exit }) => (exit === undefined ? [] : [rank])));
  const missing = attempt.placements.flatMap(({ ranks }) => ranks).find((rank) => !ended.has(rank));
  if (missing === undefined) return undefined;
  return failureWithoutRank("infra", "RANK_LOST", `Rank ${missing} ended and left no record of how.`);
}
