import { type Generation, type Heartbeat, hasApplied, isPartOver } from "./heartbeat.ts";
import type { Unreaped } from "./node.ts";

/**
 * Which given-up attempts the node now confirms dead: it has applied an order to stop them (`carriedSince`), and reports
 * them over, or has nothing of them.
 */
export function reaped(
  unreaped: readonly Unreaped[],
  heartbeat: Heartbeat,
  carriedSince: (each: Unreaped) => Generation | undefined,
): readonly Unreaped[] {
  return unreaped.filter((each) => {
    const since = carriedSince(each);
    if (since === undefined || !hasApplied(heartbeat.applied, since)) return false;
    const report = heartbeat.parts.find(
      ({ jobId, attempt }) => jobId === each.jobId && attempt === each.attempt,
    );
    return report === undefined || isPartOver(report.phase);
  });
}
