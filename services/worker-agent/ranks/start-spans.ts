import { recordSpan } from "@trainyard/telemetry";
import type { Assignment } from "../domain/assignment.ts";
import type { RankStart } from "../domain/exit-record.ts";
import type { ShimStart } from "../domain/launcher-rules.ts";

const TRACER = "worker-agent";

/** A span for each rank's start in the submission's trace, from the moment when all was prepared. */
export function recordStarts(
  { traceparent, attempt }: Pick<Assignment, "traceparent" | "attempt">,
  starts: ReadonlyMap<number, RankStart>,
  { preparedAtMs, how }: { readonly preparedAtMs: number | undefined; readonly how: ShimStart | undefined },
): void {
  for (const [rank, start] of starts) {
    recordSpan("rank start", {
      tracerName: TRACER,
      parent: traceparent,
      startTime: Math.min(preparedAtMs ?? start.atMs, start.atMs),
      endTime: start.atMs,
      attributes: {
        "trainyard.rank": rank,
        "trainyard.attempt": attempt,
        ...(how === undefined ? {} : { "trainyard.start": how.start }),
        ...(how?.start === "cold" ? { "trainyard.cold_reason": how.reason } : {}),
      },
    });
  }
}
