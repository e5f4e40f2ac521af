import type { Attempt, NonFinite, RankExit, RankReport } from "./attempt.ts";
import { isPeerLost } from "./collateral.ts";
import { type StayedAway, stayedAway } from "./collective-timeout.ts";
import { exceptionType } from "./error-signature.ts";
import { exceptionLine, isDiskFull } from "./exception-line.ts";
import { type Failure, type FailureClass, failureWithoutRank } from "./failure.ts";
import { hasFailed } from "./part-view.ts";
import { describeSignal } from "./signal-names.ts";

/** Reasons that an agent gives for not starting, by whose failure they are. */
const startFailureClasses: Readonly<Record<string, FailureClass>> = {
  DATA_FETCH_FAILED: "data",
  CODE_FETCH_FAILED: "platform",
  CHECKPOINT_FETCH_FAILED: "platform",
  SECRET_FETCH_FAILED: "platform",
  START_FAILED: "platform",
  // What the job lists cannot be installed: it is the job's, and will be so the next time.
  PYTHON_ENVIRONMENT_FAILED: "user",
  PYTHON_PACKAGES_UNREACHABLE: "data",
};

const SIGTERM = 15;

/** What Python exits with, whatever the program did, when the end of its output could not be written: its disk is full. */
const OUTPUT_LOST = 120;

/**
 * Why an ended attempt did not succeed; `undefined` when every rank did. A point that halted the run explains all the
 * rest. What a lost machine does to the survivors (their collectives raise, they exit 1) looks like a failure of the
 * user's code, so a lost node comes next. After it comes the rank that is to blame, and then a part that never started.
 * The step is the gang's: ranks go in step, and often only rank 0 reports it.
 */
export function rootCause(attempt: Attempt): Failure | undefined {
  const halt = haltedBy(attempt);
  if (halt !== undefined) return nonFiniteFailure(attempt, halt);
  const cause = lostPart(attempt) ?? failedRank(attempt) ?? failedStart(attempt) ?? missingExit(attempt);
  return cause === undefined ? undefined : { ...cause, step: gangStep(attempt) };
}

/** The highest step that any rank reported; -1 when none did. */
export function gangStep(attempt: Pick<Attempt, "endedParts">): number {
  return reports(attempt).reduce((highest, { lastStep }) => Math.max(highest, lastStep), -1);
}

/** The earliest point that halted the run, if one did. */
function haltedBy(attempt: Attempt): NonFinite | undefined {
  const points = attempt.endedParts.flatMap(({ outcome }) =>
    outcome.kind === "finalized" ? (outcome.nonFinite ?? []) : [],
  );
  return points.sort((a, b) => a.step - b.step || a.rank - b.rank)[0];
}

function nonFiniteFailure(attempt: Attempt, { key, step, rank, value }: NonFinite): Failure {
  const message = `Metric ${key} of rank ${rank} was ${value} at step ${step}: the run was halted. Checkpoints of step ${step} or later were not kept; the last good one is before it.`;
  const nodeId = nodeOf(attempt, rank);
  const failure = failureWithoutRank("user", "NON_FINITE_METRIC", message, nodeId);
  return { ...failure, rank, step, metricKey: key };
}

function lostPart(attempt: Attempt): Failure | undefined {
  const part = attempt.endedParts.find(({ outcome }) => outcome.kind === "lost" || outcome.kind === "gone");
  if (part === undefined) return undefined;
  const { nodeId } = part;
  if (part.outcome.kind === "lost") {
    const message = `Node ${nodeId} fell silent and was declared lost.`;
    return failureWithoutRank("infra", "NODE_LOST", message, nodeId);
  }
  const message = `Node ${nodeId} has nothing of the attempt any more: the machine or its agent's folder was lost.`;
  return failureWithoutRank("infra", "RANKS_GONE", message, nodeId);
}

function failedStart(attempt: Attempt): Failure | undefined {
  for (const { nodeId, outcome } of attempt.endedParts) {
    if (outcome.kind !== "failed-to-start") continue;
    const failureClass = startFailureClasses[outcome.reason] ?? "platform";
    const reason = outcome.reason || "START_FAILED";
    const message = `Node ${nodeId}: ${outcome.message}`;
    const failure = failureWithoutRank(failureClass, reason, message, nodeId);
    return { ...failure, tracebackTail: outcome.tail ?? "" };
  }
  return undefined;
}

function reports(attempt: Pick<Attempt, "endedParts">): readonly RankReport[] {
  return attempt.endedParts.flatMap(({ outcome }) => (outcome.kind === "finalized" ? outcome.ranks : []));
}

/** Who ended first: by the node's clock, then by the order on the node. */
export function byEnd(a: RankReport, b: RankReport): number {
  const at = (rank: RankReport) => rank.exit?.at.getTime() ?? 0;
  return at(a) - at(b) || (a.exit?.order ?? 0) - (b.exit?.order ?? 0) || a.rank - b.rank;
}

/**
 * Who is to blame: a rank that failed by itself before one that was asked to end, and that before one that only missed its
 * peers; among equals, who ended first. The times alone do not tell, for nodes' clocks differ.
 */
export function byBlame(a: RankReport, b: RankReport): number {
  return innocence(a) - innocence(b) || byEnd(a, b);
}

function innocence({ exit }: RankReport): number {
  if (exit === undefined || (exit.signal !== 0 && exit.signal !== SIGTERM)) return 0;
  if (exit.signal === SIGTERM) return 1;
  return missedItsPeers(exit) ? 2 : 0;
}

/** Tracebacks that a heartbeat carries for a node's part: of the ranks that ended first. */
const TOLD_TRACEBACKS = 4;

/** Whether a rank that exited only missed its peers, as far as it is known: of those that ended late, nothing else is told. */
export function missedItsPeers({ missedPeers, tracebackTail, order }: RankExit): boolean {
  return (
    missedPeers === true || isPeerLost(tracebackTail) || (tracebackTail === "" && order > TOLD_TRACEBACKS)
  );
}

function failedRank(attempt: Attempt): Failure | undefined {
  const failed = reports(attempt).filter(hasFailed).sort(byBlame);
  const first = failed[0];
  if (first?.exit === undefined) return undefined;
  const away = stayedAway(failed, (rank) => innocence(rank) === 2);
  if (away !== undefined) return timedOut(attempt, away);
  const { code, signal, tracebackTail, outOfMemory } = first.exit;
  const step = gangStep(attempt);
  const when = step < 0 ? "before its first step" : `at step ${step}`;
  const nodeId = nodeOf(attempt, first.rank);
  const rest = {
    rank: first.rank,
    exitCode: code,
    signal,
    tracebackTail,
    step,
    ...(nodeId === undefined ? {} : { nodeId }),
  };
  if (outOfMemory === true) {
    const message = `Rank ${first.rank} was killed ${when} because its memory was used up. Give it more, or a smaller batch.`;
    return { class: "user", reason: "OUT_OF_MEMORY", message, ...rest };
  }
  if (signal !== 0) {
    const message = `Rank ${first.rank} was killed by ${describeSignal(signal)} ${when}.`;
    return { class: "infra", reason: "RANK_KILLED", message, ...rest };
  }
  const raised = exceptionLine(tracebackTail);
  if (isDiskFull(raised)) {
    const message = `Rank ${first.rank} found the disk of its node full ${when}: ${raised}`;
    return { class: "infra", reason: "DISK_FULL", message, ...rest };
  }
  if (code === OUTPUT_LOST && raised === undefined) {
    const message = `Rank ${first.rank} exited with ${code} ${when} and left no word of why: so Python ends when the last of its output cannot be written, as on a full disk.`;
    return { class: "infra", reason: "OUTPUT_LOST", message, ...rest };
  }
  // Before any step it is what a wrong address in the code looks like too, but not when a network lies between the ranks.
  const mayBeNetwork = step >= 0 || attempt.placements.length > 1;
  if (
    mayBeNetwork &&
    innocence(first) === 2 &&
    failed.length > 1 &&
    failed.length === reports(attempt).length
  ) {
    const message = `Every rank lost its peers ${when}, and none of them failed by itself; rank ${first.rank} said so first: ${raised}`;
    return { class: "infra", reason: "PEERS_UNREACHABLE", message, ...rest };
  }
  const message = `Rank ${first.rank} exited with ${code} ${when}${raised === undefined ? "." : `: ${raised}`}`;
  const reason = ranOutOfMemory(rest) ? "OUT_OF_MEMORY" : "RANK_EXITED";
  return { class: "user", reason, message, ...rest };
}

function timedOut(attempt: Attempt, { waited, said, away: [first, ...others] }: StayedAway): Failure {
  const who =
    others.length === 0
      ? `Rank ${first.rank} did not come`
      : `One of ranks ${[first, ...others]
          .map(({ rank }) => rank)
          .sort((a, b) => a - b)
          .join(", ")} did not come`;
  const message = `${who} to a collective, or to the meeting of the ranks, that rank ${waited.rank} waited for: ${said}`;
  const own = others.length === 0 ? first.exit?.tracebackTail : "";
  const nodeId = others.length === 0 ? nodeOf(attempt, first.rank) : undefined;
  const failure = failureWithoutRank("infra", "COLLECTIVE_TIMEOUT", message, nodeId);
  return {
    ...failure,
    rank: others.length === 0 ? first.rank : -1,
    tracebackTail: own || (waited.exit?.tracebackTail ?? ""),
  };
}

/** Python's and CUDA's errors have types of their own; torch's allocator on the CPU raises a RuntimeError. */
function ranOutOfMemory(failure: Pick<Failure, "tracebackTail">): boolean {
  return (
    ["MemoryError", "OutOfMemoryError"].includes(exceptionType(failure)) ||
    (exceptionLine(failure.tracebackTail) ?? "").includes("DefaultCPUAllocator: can't allocate memory")
  );
}

/** Where a rank of the attempt ran. */
function nodeOf(attempt: Pick<Attempt, "placements">, rank: number): string | undefined {
  return attempt.placements.find(({ ranks }) => ranks.includes(rank))?.nodeId;
}

function missingExit(attempt: Attempt): Failure | undefined {
  const ended = new Set(reports(attempt).flatMap(({ rank, exit }) => (exit === undefined ? [] : [rank])));
  const missing = attempt.placements.flatMap(({ ranks }) => ranks).find((rank) => !ended.has(rank));
  if (missing === undefined) return undefined;
  const message = `Rank ${missing} ended and left no record of how.`;
  return failureWithoutRank("infra", "RANK_LOST", message, nodeOf(attempt, missing));
}
