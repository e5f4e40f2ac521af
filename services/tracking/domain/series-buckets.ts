/**
 * A series cut into buckets for a chart. Of each bucket the first, last, smallest and largest point stay, which is all
 * that a line drawn in one column of pixels shows (U. Jugel et al., "M4: A Visualization-Oriented Time Series Data
 * Aggregation", VLDB 2014); values that are not finite are counted, so that a chart can mark them.
 */

import { compareValues } from "./metric-point.ts";

/** What divides a series into buckets, and orders it. */
export type SeriesAxis = "step" | "time";

/** Points as columns of equal length. */
export interface PointColumns {
  readonly steps: Float64Array;
  readonly timesMs: Float64Array;
  readonly values: Float64Array;
}

/** What is known of a run of points without them. Of min and max: `NaN` at the first point where none is finite. */
export interface PointStatistics {
  readonly count: number;
  readonly nanCount: number;
  readonly positiveInfinityCount: number;
  readonly negativeInfinityCount: number;
  readonly first: SeriesPoint;
  readonly last: SeriesPoint;
  readonly min: SeriesPoint;
  readonly max: SeriesPoint;
}

/** A point of one series. */
export interface SeriesPoint {
  readonly step: number;
  readonly timeMs: number;
  readonly value: number;
}

/** The part of an axis that a series covers. */
export interface AxisRange {
  readonly low: number;
  readonly high: number;
}

/** Points stand at 0 (first), 1 (last), 2 (min) and 3 (max) of each bucket. */
const KEPT = 4;

/** Collects points, and whole stretches of points by their statistics, into buckets of equal width. */
export class SeriesBuckets {
  readonly #axis: SeriesAxis;
  readonly #low: number;
  readonly #width: number;
  readonly #buckets: number;
  readonly #used: Uint8Array;
  readonly #counts: Float64Array;
  readonly #nans: Float64Array;
  readonly #positives: Float64Array;
  readonly #negatives: Float64Array;
  readonly #steps: Float64Array;
  readonly #times: Float64Array;
  readonly #values: Float64Array;

  constructor(axis: SeriesAxis, range: AxisRange, buckets: number) {
    this.#axis = axis;
    this.#low = range.low;
    this.#buckets = buckets;
    this.#width = (range.high - range.low) / buckets;
    this.#used = new Uint8Array(buckets);
    this.#counts = new Float64Array(buckets);
    this.#nans = new Float64Array(buckets);
    this.#positives = new Float64Array(buckets);
    this.#negatives = new Float64Array(buckets);
    this.#steps = new Float64Array(buckets * KEPT);
    this.#times = new Float64Array(buckets * KEPT);
    this.#values = new Float64Array(buckets * KEPT).fill(Number.NaN);
  }

  /** Of a bucket, in units of the axis. */
  get width(): number {
    return this.#width;
  }

  add(step: number, timeMs: number, value: number): void {
    const bucket = this.#bucketOf(this.#axis === "step" ? step : timeMs);
    this.#keep(bucket, step, timeMs, value);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    if (!Number.isFinite(value)) this.#countNotFinite(bucket, value);
  }

  /** Adds points; as they usually are, in the order of their steps and times, those of one bucket at once. */
  addColumns({ steps, timesMs, values }: PointColumns): void {
    const positions = this.#axis === "step" ? steps : timesMs;
    const end = values.length;
    for (let from = 0; from < end; ) {
      const bucket = this.#bucketOf(positions[from] ?? 0);
      let step = steps[from] ?? 0;
      let timeMs = timesMs[from] ?? 0;
      let to = from + 1;
      for (; to < end; to++) {
        const later = (steps[to] ?? 0) - step;
        const laterMs = (timesMs[to] ?? 0) - timeMs;
        if (later < 0 || laterMs < 0 || later + laterMs === 0) break;
        if (this.#bucketOf(positions[to] ?? 0) !== bucket) break;
        step = steps[to] ?? 0;
        timeMs = timesMs[to] ?? 0;
      }
      this.#addAscending(bucket, { steps, timesMs, values }, from, to);
      from = to;
    }
  }

  /** Adds a stretch that is much narrower than a bucket, by its statistics, to the bucket of its first point. */
  addStatistics(part: PointStatistics): void {
    const { first, last, min, max } = part;
    const bucket = this.#bucketOf(this.#axis === "step" ? first.step : first.timeMs);
    this.#keep(bucket, first.step, first.timeMs, first.value);
    this.#keep(bucket, last.step, last.timeMs, last.value);
    this.#keep(bucket, min.step, min.timeMs, min.value);
    this.#keep(bucket, max.step, max.timeMs, max.value);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + part.count;
    this.#nans[bucket] = (this.#nans[bucket] ?? 0) + part.nanCount;
    this.#positives[bucket] = (this.#positives[bucket] ?? 0) + part.positiveInfinityCount;
    this.#negatives[bucket] = (this.#negatives[bucket] ?? 0) + part.negativeInfinityCount;
  }

  /** The buckets that have points, in order. */
  *statistics(): Generator<PointStatistics> {
    for (let bucket = 0; bucket < this.#buckets; bucket++) {
      const count = this.#counts[bucket] ?? 0;
      if (count === 0) continue;
      const first = this.#point(bucket * KEPT);
      const min = this.#point(bucket * KEPT + 2);
      const max = this.#point(bucket * KEPT + 3);
      const none = { ...first, value: Number.NaN };
      yield {
        count,
        nanCount: this.#nans[bucket] ?? 0,
        positiveInfinityCount: this.#positives[bucket] ?? 0,
        negativeInfinityCount: this.#negatives[bucket] ?? 0,
        first,
        last: this.#point(bucket * KEPT + 1),
        min: Number.isNaN(min.value) ? none : min,
        max: Number.isNaN(max.value) ? none : max,
      };
    }
  }

  #bucketOf(position: number): number {
    if (this.#width === 0) return 0;
    return Math.min(this.#buckets - 1, Math.max(0, Math.floor((position - this.#low) / this.#width)));
  }

  #keep(bucket: number, step: number, timeMs: number, value: number): void {
    const at = bucket * KEPT;
    if (this.#used[bucket] === 0) {
      this.#used[bucket] = 1;
      this.#set(at, step, timeMs, value);
      this.#set(at + 1, step, timeMs, value);
    } else {
      if (this.#isBefore(at, step, timeMs, value)) this.#set(at, step, timeMs, value);
      if (this.#isAfter(at + 1, step, timeMs, value)) this.#set(at + 1, step, timeMs, value);
    }
    if (!Number.isFinite(value)) return;
    const min = this.#values[at + 2] ?? Number.NaN;
    if (!(value > min) && (value !== min || this.#isBefore(at + 2, step, timeMs, value))) {
      this.#set(at + 2, step, timeMs, value);
    }
    const max = this.#values[at + 3] ?? Number.NaN;
    if (!(value < max) && (value !== max || this.#isBefore(at + 3, step, timeMs, value))) {
      this.#set(at + 3, step, timeMs, value);
    }
  }

  /** Of points of one bucket, each after the one before it: the first, last, smallest and largest are enough. */
  #addAscending(bucket: number, { steps, timesMs, values }: PointColumns, from: number, to: number): void {
    let min = -1;
    let max = -1;
    let lowest = Number.POSITIVE_INFINITY;
    let highest = Number.NEGATIVE_INFINITY;
    for (let index = from; index < to; index++) {
      const value = values[index] ?? 0;
      // Of NaN and infinities this is NaN.
      if (value - value !== 0) {
        this.#countNotFinite(bucket, value);
        continue;
      }
      if (value < lowest) {
        lowest = value;
        min = index;
      }
      if (value > highest) {
        highest = value;
        max = index;
      }
    }
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + to - from;
    const keep = (index: number) =>
      this.#keep(bucket, steps[index] ?? 0, timesMs[index] ?? 0, values[index] ?? 0);
    keep(from);
    keep(to - 1);
    if (min === -1) return;
    keep(min);
    keep(max);
  }

  #countNotFinite(bucket: number, value: number): void {
    const column = Number.isNaN(value) ? this.#nans : value > 0 ? this.#positives : this.#negatives;
    column[bucket] = (column[bucket] ?? 0) + 1;
  }

  #isBefore(at: number, step: number, timeMs: number, value: number): boolean {
    return this.#order(at, step, timeMs, value) < 0;
  }

  #isAfter(at: number, step: number, timeMs: number, value: number): boolean {
    return this.#order(at, step, timeMs, value) > 0;
  }

  /** Where the point stands to the kept one: along the axis, then by the other, then by value. */
  #order(at: number, step: number, timeMs: number, value: number): number {
    const steps = step - (this.#steps[at] ?? 0);
    const times = timeMs - (this.#times[at] ?? 0);
    const along = this.#axis === "step" ? steps || times : times || steps;
    return along || compareValues(value, this.#values[at] ?? 0);
  }

  #set(at: number, step: number, timeMs: number, value: number): void {
    this.#steps[at] = step;
    this.#times[at] = timeMs;
    this.#values[at] = value;
  }

  #point(at: number): SeriesPoint {
    return { step: this.#steps[at] ?? 0, timeMs: this.#times[at] ?? 0, value: this.#values[at] ?? 0 };
  }
}
