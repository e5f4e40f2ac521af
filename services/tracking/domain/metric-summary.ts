import { addExactly, exactTotal } from "./exact-sum.ts";
import type { MetricBatch } from "./metric-batch.ts";
import { compareInTime, type MetricPoint } from "./metric-point.ts";

/** A smallest or largest value, and the lowest step that has it. */
export interface Extreme {
  /** NaN when every value is NaN. */
  readonly value: number;
  readonly step: number;
}

/** What is kept of a metric's points without the points. */
export interface MetricSummary {
  /** The point of the lowest step, of the earliest time among equal steps. */
  readonly first: MetricPoint;
  /** The point of the highest step, of the latest time among equal steps. */
  readonly last: MetricPoint;
  readonly min: Extreme;
  readonly max: Extreme;
  readonly count: number;
  /** Counted in `count`, and in neither `min`, `max` nor `sum`. */
  readonly nanCount: number;
  /** Parts of the exact sum of the values that are not NaN; see exact-sum.ts. */
  readonly sum: readonly number[];
}

/** What is shown of a summary: numbers alone. */
export interface SummaryNumbers {
  readonly key: string;
  readonly first: number;
  readonly firstStep: number;
  readonly last: number;
  readonly lastStep: number;
  readonly lastTimeMs: number;
  readonly min: number;
  readonly minStep: number;
  readonly max: number;
  readonly maxStep: number;
  readonly mean: number;
  readonly count: number;
  readonly nanCount: number;
}

export function numbersOf(summary: MetricSummary): SummaryNumbers {
  const { first, last, min, max, count, nanCount } = summary;
  return {
    key: last.key,
    first: first.value,
    firstStep: first.step,
    last: last.value,
    lastStep: last.step,
    lastTimeMs: last.timeMs,
    min: min.value,
    minStep: min.step,
    max: max.value,
    maxStep: max.step,
    mean: meanOf(summary),
    count,
    nanCount,
  };
}

const noExtreme: Extreme = { value: Number.NaN, step: 0 };

/** The mean of the values that are not NaN; NaN without any. */
export function meanOf({ sum, count, nanCount }: Pick<MetricSummary, "sum" | "count" | "nanCount">): number {
  return exactTotal(sum) / (count - nanCount);
}

/** The summary of a single point. */
export function summaryOf(point: MetricPoint): MetricSummary {
  const without = Number.isNaN(point.value);
  const extreme = without ? noExtreme : { value: point.value, step: point.step };
  const sum: number[] = [];
  if (!without) addExactly(sum, point.value);
  return { first: point, last: point, min: extreme, max: extreme, count: 1, nanCount: without ? 1 : 0, sum };
}

/** The summary of both's points: associative, and the same in whatever order points and summaries come. */
export function mergeSummaries(a: MetricSummary, b: MetricSummary): MetricSummary {
  const sum = [...a.sum];
  for (const part of b.sum) if (!Number.isNaN(part)) addExactly(sum, part);
  if (b.sum.some(Number.isNaN)) sum.splice(0, sum.length, Number.NaN);
  return {
    first: compareInTime(a.first, b.first) <= 0 ? a.first : b.first,
    last: compareInTime(a.last, b.last) >= 0 ? a.last : b.last,
    min: pickExtreme(a.min, b.min, (x, y) => x < y),
    max: pickExtreme(a.max, b.max, (x, y) => x > y),
    count: a.count + b.count,
    nanCount: a.nanCount + b.nanCount,
    sum,
  };
}

/** Adds `more` to the summaries by key. */
export function mergeInto(summaries: Map<string, MetricSummary>, more: MetricSummary): void {
  const known = summaries.get(more.last.key);
  summaries.set(more.last.key, known === undefined ? more : mergeSummaries(known, more));
}

/** The points of a batch that start before `visibleEnd`, and not before `begin`. */
export function* pointsOf(
  batch: MetricBatch,
  origin: { readonly rank: number; readonly attempt: number },
  visibleEnd = Number.POSITIVE_INFINITY,
  begin = Number.NEGATIVE_INFINITY,
): Generator<MetricPoint> {
  const { keys, keyIndex, steps, timesMs, values, offsets } = batch;
  const { rank, attempt } = origin;
  for (let index = 0; index < offsets.length; index++) {
    const offset = offsets[index] ?? 0;
    if (offset >= visibleEnd || offset < begin) continue;
    const key = keys[keyIndex[index] ?? -1];
    const value = values[index];
    const step = steps[index];
    const timeMs = timesMs[index];
    if (key === undefined || value === undefined || step === undefined || timeMs === undefined) {
      throw new RangeError(`metric batch at ${batch.begin}: its columns differ in length`);
    }
    yield { key, value, step, timeMs, rank, attempt };
  }
}

/** Summaries of a batch's points, by key. */
export function summarizeBatch(
  batch: MetricBatch,
  origin: { readonly rank: number; readonly attempt: number },
  visibleEnd = Number.POSITIVE_INFINITY,
): Map<string, MetricSummary> {
  const builders = new Map<string, SummaryBuilder>();
  for (const point of pointsOf(batch, origin, visibleEnd)) {
    const builder = builders.get(point.key);
    if (builder === undefined) builders.set(point.key, new SummaryBuilder(point));
    else builder.add(point);
  }
  return new Map([...builders].map(([key, builder]) => [key, builder.build()]));
}

/** Makes the summary of many points of one metric without an object for each. */
class SummaryBuilder {
  #first: MetricPoint;
  #last: MetricPoint;
  #min = Number.NaN;
  #max = Number.NaN;
  #minStep = 0;
  #maxStep = 0;
  #count = 0;
  #nanCount = 0;
  readonly #sum: number[] = [];

  constructor(point: MetricPoint) {
    this.#first = point;
    this.#last = point;
    this.add(point);
  }

  add(point: MetricPoint): void {
    const { value, step } = point;
    this.#count += 1;
    if (compareInTime(point, this.#first) < 0) this.#first = point;
    if (compareInTime(point, this.#last) > 0) this.#last = point;
    if (Number.isNaN(value)) {
      this.#nanCount += 1;
      return;
    }
    addExactly(this.#sum, value);
    if (!(value > this.#min) && !(value === this.#min && step >= this.#minStep)) {
      this.#min = value;
      this.#minStep = step;
    }
    if (!(value < this.#max) && !(value === this.#max && step >= this.#maxStep)) {
      this.#max = value;
      this.#maxStep = step;
    }
  }

  build(): MetricSummary {
    return {
      first: this.#first,
      last: this.#last,
      min: { value: this.#min, step: this.#minStep },
      max: { value: this.#max, step: this.#maxStep },
      count: this.#count,
      nanCount: this.#nanCount,
      sum: this.#sum,
    };
  }
}

function pickExtreme(a: Extreme, b: Extreme, better: (x: number, y: number) => boolean): Extreme {
  if (Number.isNaN(a.value)) return b;
  if (Number.isNaN(b.value)) return a;
  if (a.value === b.value) return a.step <= b.step ? a : b;
  return better(a.value, b.value) ? a : b;
}
