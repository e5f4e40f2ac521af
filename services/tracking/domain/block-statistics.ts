import { compareValues } from "./metric-point.ts";
import type { PointColumns, PointStatistics, SeriesPoint } from "./series-buckets.ts";

/** Points of one block: short enough that a chart of 2,000 buckets over a million points needs no point itself. */
export const BLOCK_POINTS = 128;

/** A block's statistics by step order, and the times that it covers. */
export interface BlockStatistics extends PointStatistics {
  readonly timeLow: number;
  readonly timeHigh: number;
}

/** The statistics of each block of BLOCK_POINTS points, the last one shorter. */
export function blockStatistics(columns: PointColumns): BlockStatistics[] {
  const blocks: BlockStatistics[] = [];
  for (let from = 0; from < columns.values.length; from += BLOCK_POINTS) {
    blocks.push(statisticsOf(columns, from, Math.min(from + BLOCK_POINTS, columns.values.length)));
  }
  return blocks;
}

function statisticsOf(columns: PointColumns, from: number, to: number): BlockStatistics {
  const { timesMs, values } = columns;
  const counts = { nanCount: 0, positiveInfinityCount: 0, negativeInfinityCount: 0 };
  let [first, last] = [from, from];
  let [min, max] = [-1, -1];
  let [timeLow, timeHigh] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let index = from; index < to; index++) {
    const value = values[index] ?? 0;
    const timeMs = timesMs[index] ?? 0;
    if (timeMs < timeLow) timeLow = timeMs;
    if (timeMs > timeHigh) timeHigh = timeMs;
    if (compare(columns, index, first) < 0) first = index;
    if (compare(columns, index, last) > 0) last = index;
    if (Number.isNaN(value)) counts.nanCount += 1;
    else if (value === Number.POSITIVE_INFINITY) counts.positiveInfinityCount += 1;
    else if (value === Number.NEGATIVE_INFINITY) counts.negativeInfinityCount += 1;
    else {
      if (min === -1 || value < (values[min] ?? 0) || isEarlierEqual(columns, index, min)) min = index;
      if (max === -1 || value > (values[max] ?? 0) || isEarlierEqual(columns, index, max)) max = index;
    }
  }
  const start = pointAt(columns, first);
  const none = { ...start, value: Number.NaN };
  return {
    count: to - from,
    ...counts,
    first: start,
    last: pointAt(columns, last),
    min: min === -1 ? none : pointAt(columns, min),
    max: max === -1 ? none : pointAt(columns, max),
    timeLow,
    timeHigh,
  };
}

function isEarlierEqual(columns: PointColumns, index: number, kept: number): boolean {
  return columns.values[index] === columns.values[kept] && compare(columns, index, kept) < 0;
}

function compare({ steps, timesMs, values }: PointColumns, a: number, b: number): number {
  return (
    (steps[a] ?? 0) - (steps[b] ?? 0) ||
    (timesMs[a] ?? 0) - (timesMs[b] ?? 0) ||
    compareValues(values[a] ?? 0, values[b] ?? 0)
  );
}

function pointAt({ steps, timesMs, values }: PointColumns, index: number): SeriesPoint {
  return { step: steps[index] ?? 0, timeMs: timesMs[index] ?? 0, value: values[index] ?? 0 };
}
