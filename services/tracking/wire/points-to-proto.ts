import { create } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import type { MetricPoint } from "../domain/metric-point.ts";
import { type MetricSummary, meanOf } from "../domain/metric-summary.ts";
import { rankBehind } from "../domain/telemetry-source.ts";

/** A point as the wire has it. */
export function pointToProto({ key, value, step, timeMs, rank, attempt }: MetricPoint): tracking.MetricPoint {
  return create(tracking.MetricPointSchema, {
    key,
    value,
    step: BigInt(step),
    timeMs,
    rank: rankBehind(rank),
    attempt,
  });
}

/** Summaries as a map of the wire. */
export function summariesToProto(
  summaries: readonly MetricSummary[],
): Record<string, tracking.MetricSummary> {
  return Object.fromEntries(summaries.map((summary) => [summary.last.key, summaryToProto(summary)]));
}

function summaryToProto(summary: MetricSummary): tracking.MetricSummary {
  const { first, last, min, max, count, nanCount } = summary;
  return create(tracking.MetricSummarySchema, {
    first: first.value,
    firstStep: BigInt(first.step),
    last: last.value,
    lastStep: BigInt(last.step),
    lastTimeMs: last.timeMs,
    min: min.value,
    minStep: BigInt(min.step),
    max: max.value,
    maxStep: BigInt(max.step),
    mean: meanOf(summary),
    count: BigInt(count),
    nanCount: BigInt(nanCount),
  });
}
