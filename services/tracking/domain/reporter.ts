import { DomainError } from "@trainyard/domain";
import type { RunRecord } from "./run-record.ts";

/** A node that an attempt runs on, with the ranks there. */
export interface Reporter {
  readonly nodeId: string;
  readonly ranks: readonly number[];
}

/**
 * Throws `permission_denied` NODE_NOT_OF_ATTEMPT unless this node's agent may report of the run's current attempt, and of this
 * rank of it where one is given: whoever joins the platform has an agent's identity, and a checkpoint is what its parts say.
 */
export function assertReporter(
  { id, currentAttempt, reporters = [] }: Pick<RunRecord, "id" | "currentAttempt" | "reporters">,
  nodeId: string,
  rank?: number,
): void {
  if (reporters.length === 0) return;
  const own = reporters.find((each) => each.nodeId === nodeId);
  if (own !== undefined && (rank === undefined || own.ranks.includes(rank))) return;
  const what = rank === undefined ? `attempt ${currentAttempt}` : `rank ${rank} of attempt ${currentAttempt}`;
  throw new DomainError(
    "permission_denied",
    "NODE_NOT_OF_ATTEMPT",
    `Node ${nodeId} does not run ${what} of ${id}: an agent reports of the ranks on its own node only.`,
    { metadata: { run_id: id, node_id: nodeId } },
  );
}
