import { expect, it } from "vitest";
import { MAX_KEPT, type RankSample, sampleBatch, withSample } from "./rank-samples.ts";

const sample = (second: number, more: object = {}): RankSample => ({
  second,
  timeMs: 5_000 + second * 1000,
  step: second * 2,
  usage: {
    cpuPercent: 50,
    memoryBytes: 100,
    readBytesPerSecond: 0,
    writtenBytesPerSecond: 3,
    processes: 1,
    ...more,
  },
});

it("keeps one sample a second, whenever the looks come", () => {
  const kept = [0, 1, 1, 3, 2, 3, 4].reduce<readonly RankSample[]>(
    (all, at) => withSample(all, sample(at)),
    [],
  );
  expect(kept.map(({ second }) => second)).toEqual([0, 1, 3, 4]);
  expect(withSample(kept, sample(-1))).toBe(kept);
});

it("drops the oldest when they cannot be sent for long", () => {
  let kept: readonly RankSample[] = [];
  for (let at = 0; at < MAX_KEPT + 50; at += 1) kept = withSample(kept, sample(at));
  expect([kept.length, kept[0]?.second]).toEqual([MAX_KEPT, 50]);
});

it("places each sample by its second since the rank's start, so that what is sent again overlaps exactly", () => {
  const batch = sampleBatch([sample(3), sample(5, { gpuPercent: 80, gpuMemoryBytes: 7 })]);
  expect([batch.begin, batch.end]).toEqual([3000, 6000]);
  expect(batch.offsets).toEqual([3000, 3000, 3000, 3000, 5000, 5000, 5000, 5000, 5000, 5000]);
  expect(batch.keyIndex.map((index) => batch.keys[index]).slice(-2)).toEqual([
    "trainyard/rank/gpu_percent",
    "trainyard/rank/gpu_memory_bytes",
  ]);
  expect([batch.values.at(-2), batch.steps.at(-1), batch.timesMs.at(-1)]).toEqual([80, 10, 10_000]);
});
