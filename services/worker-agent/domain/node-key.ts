import type { Assignment } from "./assignment.ts";

/**
 * The key under which a node of the gang, by its index, tells the others what concerns them all. It has the node's own id, and
 * the bus lets no other node's agent write there.
 */
export function nodeKey(
  { jobId, attempt, groupNodes }: Pick<Assignment, "jobId" | "attempt" | "groupNodes">,
  group: number,
): string {
  return `${jobId}.${attempt}.${groupNodes[group]}`;
}
