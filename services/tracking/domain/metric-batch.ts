import { addRange, missingIn, type OffsetRange, type OffsetRanges } from "./offset-ranges.ts";

/**
 * Metric points of one rank, as columns of equal length. A point's place is `offsets`: the offset of its record in the
 * rank's record file. The batch covers all records in [begin, end), also those that are no metrics.
 */
export interface MetricBatch extends OffsetRange {
  /** Metric names; `keyIndex` points into them. */
  readonly keys: readonly string[];
  readonly keyIndex: Uint16Array;
  readonly steps: Float64Array;
  readonly timesMs: Float64Array;
  readonly values: Float64Array;
  /** Ascending, each in [begin, end). Several points may share a record. */
  readonly offsets: Float64Array;
}

/** What of a batch is new, and what is stored once it is. */
export interface TrimmedBatch {
  readonly ranges: OffsetRanges;
  /** Empty for a batch that was stored before. */
  readonly pieces: readonly MetricBatch[];
}

/**
 * Cuts from a batch what is stored already. Batches are cut between records by whoever sends them, and a record never
 * moves in its file, so a range that was sent before, however it was cut then, overlaps exactly.
 */
export function trimMetricBatch(stored: OffsetRanges, batch: MetricBatch): TrimmedBatch {
  const missing = missingIn(stored, batch);
  return { ranges: addRange(stored, batch), pieces: missing.map((range) => slice(batch, range)) };
}

function slice(batch: MetricBatch, range: OffsetRange): MetricBatch {
  if (range.begin === batch.begin && range.end === batch.end) return batch;
  const first = lowerBound(batch.offsets, range.begin);
  const last = lowerBound(batch.offsets, range.end);
  return {
    begin: range.begin,
    end: range.end,
    keys: batch.keys,
    keyIndex: batch.keyIndex.subarray(first, last),
    steps: batch.steps.subarray(first, last),
    timesMs: batch.timesMs.subarray(first, last),
    values: batch.values.subarray(first, last),
    offsets: batch.offsets.subarray(first, last),
  };
}

/** Index of the first element that is not below `bound`. */
export function lowerBound(ascending: ArrayLike<number>, bound: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] ?? Number.POSITIVE_INFINITY) < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
