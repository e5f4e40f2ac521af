import type { MetricBatch } from "./metric-batch.ts";
import { compareInTime, type MetricPoint } from "./metric-point.ts";

/** What is kept of a metric's points without the points. */
export interface MetricSummary {
  /** The point of the highest step, of the latest time among equal steps. */
  readonly last: MetricPoint;
  /** NaN when every value is NaN. */
  readonly min: number;
  readonly max: number;
  readonly count: number;
  /** Counted in `count`, and in neither `min` nor `max`. */
  readonly nanCount: number;
}

/** The summary of a single point. */
export function summaryOf(point: MetricPoint): MetricSummary {
  return {
    last: point,
    min: point.value,
    max: point.value,
    count: 1,
    nanCount: Number.isNaN(point.value) ? 1 : 0,
  };
}

/** The summary of both's points. Associative and, as points are told apart by rank and attempt, order-independent. */
export function mergeSummaries(a: MetricSummary, b: MetricSummary): MetricSummary {
  return {
    last: compareInTime(a.last, b.last) > 0 ? a.last : b.last,
    min: pickNumber(a.min, b.min, Math.min),
    max: pickNumber(a.max, b.max, Math.max),
    count: a.count + b.count,
    nanCount: a.nanCount + b.nanCount,
  };
}

/** Adds `more` to the summaries by key. */
export function mergeInto(summaries: Map<string, MetricSummary>, more: MetricSummary): void {
  const known = summaries.get(more.last.key);
  summaries.set(more.last.key, known === undefined ? more : mergeSummaries(known, more));
}

/** The points of a batch that start before `visibleEnd`. */
export function* pointsOf(
  batch: MetricBatch,
  origin: { readonly rank: number; readonly attempt: number },
  visibleEnd = Number.POSITIVE_INFINITY,
): Generator<MetricPoint> {
  for (const [index, offset] of batch.offsets.entries()) {
    if (offset >= visibleEnd) return;
    const key = batch.keys[batch.keyIndex[index] ?? -1];
    const value = batch.values[index];
    const step = batch.steps[index];
    const timeMs = batch.timesMs[index];
    if (key === undefined || value === undefined || step === undefined || timeMs === undefined) {
      throw new RangeError(`metric batch at ${batch.begin}: its columns differ in length`);
    }
    yield { key, value, step, timeMs, ...origin };
  }
}

/** Summaries of a batch's points, by key, so that reading aggregates need not read points. */
export function summarizeBatch(
  batch: MetricBatch,
  origin: { readonly rank: number; readonly attempt: number },
  visibleEnd = Number.POSITIVE_INFINITY,
): Map<string, MetricSummary> {
  const summaries = new Map<string, MetricSummary>();
  for (const point of pointsOf(batch, origin, visibleEnd)) mergeInto(summaries, summaryOf(point));
  return summaries;
}

function pickNumber(a: number, b: number, pick: (a: number, b: number) => number): number {
  if (Number.isNaN(a)) return b;
  return Number.isNaN(b) ? a : pick(a, b);
}
