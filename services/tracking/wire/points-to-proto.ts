import { create } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import type { MetricPoint } from "../domain/metric-point.ts";
import type { MetricSummary } from "../domain/metric-summary.ts";

/** A point as the wire has it. */
export function pointToProto({ key, value, step, timeMs, rank, attempt }: MetricPoint): tracking.MetricPoint {
  return create(tracking.MetricPointSchema, { key, value, step: BigInt(step), timeMs, rank, attempt });
}

/** Summaries as a map of the wire. */
export function summariesToProto(
  summaries: readonly MetricSummary[],
): Record<string, tracking.MetricSummary> {
  return Object.fromEntries(
    summaries.map(({ last, min, max, count, nanCount }) => [
      last.key,
      create(tracking.MetricSummarySchema, {
        last: last.value,
        lastStep: BigInt(last.step),
        min,
        max,
        count: BigInt(count),
        nanCount: BigInt(nanCount),
      }),
    ]),
  );
}
