import type { Attempt, Placement } from "./attempt.ts";
import { isProjected } from "./attempt-state.ts";
import { type Job, liveAttempt } from "./job.ts";
import type { Node, Unreaped } from "./node.ts";

/** One thing a node shall do: run or stop its part of a live attempt, or stop one that was ended without its word. */
export type DesiredPart =
  | {
      readonly kind: "part";
      readonly action: "run" | "stop";
      /** With "stop": whether what the gang holds may be saved before it ends. */
      readonly handOver: boolean;
      readonly job: Job;
      readonly attempt: Attempt;
      readonly placement: Placement;
      /** Index of the node among the attempt's nodes. */
      readonly groupRank: number;
    }
  | { readonly kind: "reap"; readonly unreaped: Unreaped };

/** What every known node shall do, by node id; an empty list where it shall do nothing. Ordered by job and attempt. */
export function desiredParts(
  jobs: readonly Job[],
  nodes: readonly Pick<Node, "id" | "unreaped">[],
): ReadonlyMap<string, readonly DesiredPart[]> {
  const parts = new Map<string, DesiredPart[]>(nodes.map(({ id }) => [id, []]));
  for (const job of [...jobs].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const attempt = liveAttempt(job);
    if (attempt === undefined || !isProjected(attempt.state)) continue;
    const action = attempt.state === "stopping" ? "stop" : "run";
    const handOver = action === "stop" && mayHandOver(attempt);
    for (const [groupRank, placement] of attempt.placements.entries()) {
      const own = parts.get(placement.nodeId);
      const part = { kind: "part", action, handOver, job, attempt, placement, groupRank } as const;
      if (own === undefined) parts.set(placement.nodeId, [part]);
      else own.push(part);
    }
  }
  for (const { id, unreaped } of nodes) {
    const own = parts.get(id) ?? [];
    for (const each of unreaped)
      if (!own.some((part) => isSame(part, each))) own.push({ kind: "reap", unreaped: each });
  }
  return parts;
}

/**
 * Whether the survivors of a gang that is being stopped may save what it holds: a rank of it has failed, and every node is
 * there. Without one of them they would wait for its ranks' part in vain.
 */
function mayHandOver({ stopCause, endedParts }: Attempt): boolean {
  return stopCause === "failure" && endedParts.every(({ outcome }) => outcome.kind === "finalized");
}

function isSame(part: DesiredPart, { jobId, attempt }: Unreaped): boolean {
  return part.kind === "part" && part.job.id === jobId && part.attempt.number === attempt;
}
