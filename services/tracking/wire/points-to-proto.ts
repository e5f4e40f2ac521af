import { create } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import type { MetricPoint } from "../domain/metric-point.ts";
import type { SummaryNumbers } from "../domain/metric-summary.ts";
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
  summaries: readonly SummaryNumbers[],
): Record<string, tracking.MetricSummary> {
  return Object.fromEntries(summaries.map((summary) => [summary.key, summaryToProto(summary)]));
}

function summaryToProto(summary: SummaryNumbers): tracking.MetricSummary {
  return create(tracking.MetricSummarySchema, {
    first: summary.first,
    firstStep: BigInt(summary.firstStep),
    last: summary.last,
    lastStep: BigInt(summary.lastStep),
    lastTimeMs: summary.lastTimeMs,
    min: summary.min,
    minStep: BigInt(summary.minStep),
    max: summary.max,
    maxStep: BigInt(summary.maxStep),
    mean: summary.mean,
    count: BigInt(summary.count),
    nanCount: BigInt(summary.nanCount),
  });
}
