import type { RankUsage } from "./rank-usage.ts";

/** One second of a rank: `second` is counted from its start and is the sample's place, so that none counts twice. */
export interface RankSample {
  readonly second: number;
  readonly timeMs: number;
  /** The step it was at. */
  readonly step: number;
  readonly usage: RankUsage;
}

/** Samples that are kept while they cannot be sent: ten minutes of a rank. The oldest go first. */
export const MAX_KEPT = 600;
/** Samples that are sent together. */
export const SEND_AT = 10;

/** What of a rank's usage is recorded, by the metric's name. */
const figures: Readonly<Record<string, (usage: RankUsage) => number | undefined>> = {
  "trainyard/rank/cpu_percent": ({ cpuPercent }) => cpuPercent,
  "trainyard/rank/memory_bytes": ({ memoryBytes }) => memoryBytes,
  "trainyard/rank/read_bytes_per_second": ({ readBytesPerSecond }) => readBytesPerSecond,
  "trainyard/rank/written_bytes_per_second": ({ writtenBytesPerSecond }) => writtenBytesPerSecond,
  "trainyard/rank/gpu_percent": ({ gpuPercent }) => gpuPercent,
  "trainyard/rank/gpu_memory_bytes": ({ gpuMemoryBytes }) => gpuMemoryBytes,
};

/** The samples with one more, unless there is one of that second or a later one: one a second is what is promised. */
export function withSample(kept: readonly RankSample[], sample: RankSample): readonly RankSample[] {
  const last = kept.at(-1);
  if (sample.second < 0 || (last !== undefined && sample.second <= last.second)) return kept;
  return [...kept, sample].slice(-MAX_KEPT);
}

/** Samples as columns; `begin` and `end` are milliseconds since the rank's start. */
export interface SampleBatch {
  readonly begin: number;
  readonly end: number;
  readonly keys: readonly string[];
  readonly keyIndex: readonly number[];
  readonly steps: readonly number[];
  readonly timesMs: readonly number[];
  readonly values: readonly number[];
  readonly offsets: readonly number[];
}

/** The batch of these samples, which are ascending and at least one. */
export function sampleBatch(samples: readonly RankSample[]): SampleBatch {
  const points = samples.flatMap(({ usage, ...sample }) =>
    Object.entries(figures).flatMap(([key, of]) => {
      const value = of(usage);
      return value === undefined ? [] : [{ key, value, ...sample }];
    }),
  );
  const keys = [...new Set(points.map(({ key }) => key))];
  return {
    begin: (samples[0]?.second ?? 0) * 1000,
    end: ((samples.at(-1)?.second ?? 0) + 1) * 1000,
    keys,
    keyIndex: points.map(({ key }) => keys.indexOf(key)),
    steps: points.map(({ step }) => step),
    timesMs: points.map(({ timeMs }) => timeMs),
    values: points.map(({ value }) => value),
    offsets: points.map(({ second }) => second * 1000),
  };
}
