import type { Assignment } from "../domain/assignment.ts";
import type { RankStart } from "../domain/exit-record.ts";
import type { RankUsage } from "../domain/rank-usage.ts";
import type { RankProgress } from "../telemetry/rank-progress.ts";
import type { RankStatus } from "./attempt-status.ts";
import type { EndedRank } from "./gang.ts";

/** What is known of a rank, each from whoever knows it. */
export interface RankFacts {
  /** From its spool. */
  readonly start: RankStart | undefined;
  readonly exit: EndedRank | undefined;
  /** From what it recorded. */
  readonly progress: RankProgress | undefined;
  /** What the rank with this process and these slots uses now. */
  readonly usage: (pid: number, slots: readonly number[]) => RankUsage | undefined;
  /** On the monotonic clock. */
  readonly nowMs: number;
}

/** A rank as the heartbeat tells it. What only a running process has is left out of one that has ended. */
export function rankStatus(
  { rank, slots }: Assignment["ranks"][number],
  { start, exit, progress, usage: usageOf, nowMs }: RankFacts,
): RankStatus {
  const timing = progress?.timing(nowMs);
  const usage = start === undefined || exit !== undefined ? undefined : usageOf(start.pid, slots);
  return {
    rank,
    pid: start?.pid ?? 0,
    ...(start === undefined ? {} : { startedAtMs: start.atMs }),
    ...(progress?.firstStepAtMs === undefined ? {} : { firstStepAtMs: progress.firstStepAtMs }),
    lastStep: progress?.lastStep ?? -1,
    phase: progress?.phase ?? "",
    ...(progress?.checkpointStep === undefined ? {} : { checkpointStep: progress.checkpointStep }),
    ...(usage === undefined ? {} : { usage }),
    ...(timing === undefined || exit !== undefined ? {} : { timing }),
    ...(exit === undefined ? {} : { exit }),
  };
}
