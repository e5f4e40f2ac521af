import { delimiter, dirname } from "node:path";
import type { Assignment } from "../domain/assignment.ts";
import { type NodeForRanks, rankEnvironment } from "../domain/rank-environment.ts";

/** How long the survivors of a rank's death have to save the gang's state. */
export const HANDOVER_MS = 60_000;

/** The ranks' folder in the attempt's directory, with the code. */
export const WORK_FOLDER = "work";

/** Where a rank starts that has a folder of its own. */
export function ownFolder(rank: number): string {
  return `rank-${rank}/${WORK_FOLDER}`;
}

/** The shim's input, `spec.json`: what to run, and in which environment each rank runs. */
export function shimSpec(
  assignment: Assignment,
  onNode: NodeForRanks,
  python: string,
  secrets: Readonly<Record<string, string>>,
): string {
  const path = [dirname(python), onNode.path].filter((part) => part !== "").join(delimiter);
  const node = { ...onNode, path };
  return JSON.stringify({
    schema: 1,
    python,
    argv: assignment.work.entrypoint,
    cwd: WORK_FOLDER,
    limits: assignment.work.limits,
    ...(onNode.cgroup === undefined ? {} : { cgroup: onNode.cgroup }),
    attempt: assignment.attempt,
    jobId: assignment.jobId,
    runId: assignment.runId,
    worldSize: assignment.worldSize,
    groupRank: assignment.groupRank,
    groupCount: assignment.groupCount,
    graceMs: assignment.graceMs,
    handoverMs: HANDOVER_MS,
    ranks: assignment.ranks.map((place) => ({
      rank: place.rank,
      localRank: place.localRank,
      dir: `rank-${place.rank}`,
      ...(assignment.work.ownFolders ? { cwd: ownFolder(place.rank) } : {}),
      env: { ...secrets, ...rankEnvironment(assignment, place, node) },
    })),
  });
}
