import type { Attempt, EndedPart, NonFinite, PartOutcome, Placement, RankReport } from "./attempt.ts";
import { type Generation, type Heartbeat, hasApplied, type PartReport, type PartStart } from "./heartbeat.ts";
import type { NodeState } from "./node.ts";

/** What is known of a node when its attempts are looked at. */
export interface NodeView {
  readonly state: NodeState;
  /** The newest heartbeat since this leader took over. */
  readonly heartbeat?: Heartbeat;
}

/** A node's part of an attempt as it is now: over, alive with reports, or not heard of yet. */
export type PartView =
  | { readonly kind: "over"; readonly outcome: PartOutcome; readonly start?: PartStart }
  | {
      readonly kind: "alive";
      readonly ranks: readonly RankReport[];
      readonly nonFinite?: NonFinite;
      readonly start?: PartStart;
      /** A rank has failed here, and survivors save with those of other nodes. */
      readonly handingOver?: boolean;
      /** A rank has waited here in a collective until it timed out. */
      readonly collectiveTimedOut?: boolean;
    }
  | { readonly kind: "unheard" };

/**
 * How a part stands. What was recorded as over stays so. `carriedSince` is the desired state that first told the node of
 * the attempt, if one did: only an agent that has applied it and still has nothing of the attempt has lost it.
 */
export function viewPart(
  jobId: string,
  attempt: Attempt,
  nodeId: string,
  node: NodeView | undefined,
  carriedSince: Generation | undefined,
): PartView {
  const ended = attempt.endedParts.find((part) => part.nodeId === nodeId);
  if (ended !== undefined) return { kind: "over", outcome: ended.outcome };
  if (node?.state === "lost") return { kind: "over", outcome: { kind: "lost" } };
  const heartbeat = node?.heartbeat;
  if (heartbeat === undefined) return { kind: "unheard" };
  const report = heartbeat.parts.find((part) => part.jobId === jobId && part.attempt === attempt.number);
  if (report !== undefined) return viewReport(report);
  const told = carriedSince !== undefined && hasApplied(heartbeat.applied, carriedSince);
  return told ? { kind: "over", outcome: { kind: "gone" } } : { kind: "unheard" };
}

function viewReport(report: PartReport): PartView {
  const start = report.start === undefined ? {} : { start: report.start };
  const halted = report.nonFinite === undefined ? {} : { nonFinite: report.nonFinite };
  switch (report.phase) {
    case "finalized":
      return { kind: "over", outcome: { kind: "finalized", ranks: report.ranks, ...halted }, ...start };
    case "failed-to-start": {
      const { failureReason: reason, failureMessage: message, failureTail: tail } = report;
      const outcome = { kind: "failed-to-start", reason, message } as const;
      return { kind: "over", outcome: tail === undefined ? outcome : { ...outcome, tail } };
    }
    case "preparing":
    case "starting":
    case "running":
    case "stopping":
    case "flushing":
      return {
        kind: "alive",
        ranks: report.ranks,
        ...halted,
        ...start,
        ...(report.handingOver === true ? { handingOver: true } : {}),
        ...(report.collectiveTimedOut === true ? { collectiveTimedOut: true } : {}),
      };
  }
}

/** The ranks that a part tells of; none where it tells nothing. */
export function ranksOf(view: PartView): readonly RankReport[] {
  switch (view.kind) {
    case "alive":
      return view.ranks;
    case "over":
      return view.outcome.kind === "finalized" ? view.outcome.ranks : [];
    case "unheard":
      return [];
  }
}

/** The point that halts the run, if this part has seen one. */
export function nonFiniteOf(view: PartView): NonFinite | undefined {
  switch (view.kind) {
    case "alive":
      return view.nonFinite;
    case "over":
      return view.outcome.kind === "finalized" ? view.outcome.nonFinite : undefined;
    case "unheard":
      return undefined;
  }
}

/** Where nobody has waited in vain while somebody did elsewhere: the ranks that stayed away may be there. None if nobody did. */
export function notWaitedOn(attempt: Attempt, views: ReadonlyMap<string, PartView>): readonly Placement[] {
  const waited = (nodeId: string) => {
    const view = views.get(nodeId);
    return view?.kind === "alive" && view.collectiveTimedOut === true;
  };
  const others = attempt.placements.filter(({ nodeId }) => !waited(nodeId));
  return others.length === attempt.placements.length ? [] : others;
}

/** Whether a rank ended without success. */
export function hasFailed(rank: RankReport): boolean {
  return rank.exit !== undefined && (rank.exit.code !== 0 || rank.exit.signal !== 0);
}

/** Parts that are over now and were not recorded as such. */
export function newlyEnded(attempt: Attempt, views: ReadonlyMap<string, PartView>): readonly EndedPart[] {
  const known = new Set(attempt.endedParts.map(({ nodeId }) => nodeId));
  return [...views].flatMap(([nodeId, view]) =>
    view.kind === "over" && !known.has(nodeId) ? [{ nodeId, outcome: view.outcome }] : [],
  );
}
