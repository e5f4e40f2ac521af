import type { MetricBatch } from "./metric-batch.ts";
import type { PointExtent } from "./point-range.ts";
import type { PointColumns } from "./series-buckets.ts";

/** Points of one metric of one rank, in the order of their records. */
export interface MetricSegment extends PointColumns {
  readonly key: string;
  /** Ascending. Of calls: when the call was stored, milliseconds since 1970. */
  readonly offsets: Float64Array;
}

/** Points at which a segment is full and is not packed again. */
export const FULL_SEGMENT = 4_096;
/** A segment with fewer points shares a chunk with others. */
const OWN_CHUNK = 512;

/** What one chunk shall hold. */
export interface PlannedChunk {
  /** By key. */
  readonly segments: readonly MetricSegment[];
  /** Whether it is packed again together with what comes next. */
  readonly open: boolean;
}

/** The points of the batches and earlier segments, by key, each in the order of its records. */
export function segmentsOf(
  batches: readonly MetricBatch[],
  earlier: readonly MetricSegment[],
): MetricSegment[] {
  const counts = new Map<string, number>();
  const count = (key: string, more: number) => counts.set(key, (counts.get(key) ?? 0) + more);
  for (const { key, values } of earlier) count(key, values.length);
  for (const { keys, keyIndex } of batches) for (const index of keyIndex) count(keys[index] ?? "", 1);
  const building = new Map([...counts].map(([key, size]) => [key, new Building(key, size)]));
  for (const segment of earlier) building.get(segment.key)?.append(segment);
  for (const batch of batches) {
    const ofKeys = batch.keys.map((key) => building.get(key));
    batch.keyIndex.forEach((key, index) => {
      ofKeys[key]?.push(batch, index);
    });
  }
  return [...building.values()].map((each) => each.build()).sort((a, b) => (a.key < b.key ? -1 : 1));
}

/**
 * Divides segments over chunks: full ones and long rests have a chunk each; short rests of neighbouring metrics share one,
 * so that a run of thousands of metrics with a few points each does not become thousands of documents.
 */
export function planChunks(segments: readonly MetricSegment[]): PlannedChunk[] {
  const chunks: PlannedChunk[] = [];
  let shared: MetricSegment[] = [];
  let sharedPoints = 0;
  const close = () => {
    if (shared.length > 0) chunks.push({ segments: shared, open: true });
    shared = [];
    sharedPoints = 0;
  };
  for (const segment of segments) {
    const size = segment.values.length;
    let from = 0;
    for (; size - from >= FULL_SEGMENT; from += FULL_SEGMENT) {
      chunks.push({ segments: [slice(segment, from, from + FULL_SEGMENT)], open: false });
    }
    if (size - from >= OWN_CHUNK) chunks.push({ segments: [slice(segment, from, size)], open: true });
    else if (size > from) {
      shared.push(slice(segment, from, size));
      sharedPoints += size - from;
      if (sharedPoints >= FULL_SEGMENT) close();
    }
  }
  close();
  return chunks;
}

/** Lowest and highest step and time. Throws RangeError for no points. */
export function extentOf(segments: readonly PointColumns[]): PointExtent {
  let [stepLow, timeLow] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  let [stepHigh, timeHigh] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { steps, timesMs } of segments) {
    for (const step of steps) {
      if (step < stepLow) stepLow = step;
      if (step > stepHigh) stepHigh = step;
    }
    for (const time of timesMs) {
      if (time < timeLow) timeLow = time;
      if (time > timeHigh) timeHigh = time;
    }
  }
  if (stepLow > stepHigh) throw new RangeError("no points, no extent");
  return { stepLow, stepHigh, timeLow, timeHigh };
}

function slice(segment: MetricSegment, from: number, to: number): MetricSegment {
  if (from === 0 && to === segment.values.length) return segment;
  return {
    key: segment.key,
    steps: segment.steps.subarray(from, to),
    timesMs: segment.timesMs.subarray(from, to),
    values: segment.values.subarray(from, to),
    offsets: segment.offsets.subarray(from, to),
  };
}

class Building {
  readonly #segment: MetricSegment;
  #size = 0;
  #isAscending = true;

  constructor(key: string, size: number) {
    this.#segment = {
      key,
      steps: new Float64Array(size),
      timesMs: new Float64Array(size),
      values: new Float64Array(size),
      offsets: new Float64Array(size),
    };
  }

  push({ steps, timesMs, values, offsets }: MetricBatch, index: number): void {
    this.#put(steps[index] ?? 0, timesMs[index] ?? 0, values[index] ?? 0, offsets[index] ?? 0);
  }

  append({ steps, timesMs, values, offsets }: MetricSegment): void {
    for (let index = 0; index < values.length; index++) {
      this.#put(steps[index] ?? 0, timesMs[index] ?? 0, values[index] ?? 0, offsets[index] ?? 0);
    }
  }

  /** Batches may come out of order; then, and only then, they are sorted. */
  build(): MetricSegment {
    const segment = this.#segment;
    if (this.#isAscending) return segment;
    const { offsets } = segment;
    const order = Uint32Array.from(offsets, (_, index) => index).sort(
      (a, b) => (offsets[a] ?? 0) - (offsets[b] ?? 0) || a - b,
    );
    const pick = (column: Float64Array) => Float64Array.from(order, (index) => column[index] ?? 0);
    return {
      key: segment.key,
      steps: pick(segment.steps),
      timesMs: pick(segment.timesMs),
      values: pick(segment.values),
      offsets: pick(offsets),
    };
  }

  #put(step: number, timeMs: number, value: number, offset: number): void {
    const { steps, timesMs, values, offsets } = this.#segment;
    const at = this.#size++;
    if (at > 0 && offset < (offsets[at - 1] ?? 0)) this.#isAscending = false;
    steps[at] = step;
    timesMs[at] = timeMs;
    values[at] = value;
    offsets[at] = offset;
  }
}
