/** Reads of a run, compared with the model. */
import { expect } from "vitest";
import { meanOf } from "./domain/metric-summary.ts";
import { isInRange, type PointRange } from "./domain/point-range.ts";
import { readBuckets } from "./operations/read-buckets.ts";
import { readHistory } from "./operations/read-history.ts";
import { readSeries } from "./operations/read-series.ts";
import { runMetrics } from "./operations/run-metrics.ts";
import { keys, type Point } from "./test-metric-model.ts";
import { runOf, type World } from "./test-metric-world.ts";

const text = ({ key, step, timeMs, value: number }: Point) => `${key} ${step} ${timeMs} ${number}`;
/** Points in an order that does not matter, to compare them. */
export const sorted = (points: readonly Point[]) => points.map(text).sort();

/** Every kind of read gives what the model has. */
export async function compare(world: World): Promise<void> {
  const { model } = world;
  const visible = model.visible();
  expect(sorted(await history(world, {}))).toEqual(sorted(visible));
  const range = { minStep: 10, maxStep: 30 };
  const inside = visible.filter(({ step }) => step >= 10 && step <= 30);
  expect(sorted(await history(world, range))).toEqual(sorted(inside));
  expect(sorted(await series(world, {}))).toEqual(sorted(visible));
  expect(sorted(await series(world, range))).toEqual(sorted(inside));
  await compareSummaries(world);
  await compareBuckets(world);
}

async function history(world: World, range: PointRange): Promise<Point[]> {
  const run = await runOf(world);
  const points: Point[] = [];
  let position: Awaited<ReturnType<typeof readHistory>>["next"];
  do {
    const page = await readHistory(
      world.deps,
      run,
      { keys: [], range, position },
      { points: 50, bytes: 1e9, bytesOf: () => 1 },
    );
    points.push(...page.points);
    position = page.next;
  } while (position !== undefined);
  return points;
}

/** The points of all metrics in the range. */
export async function series(world: World, range: PointRange): Promise<Point[]> {
  const found = await readSeries(world.deps, await runOf(world), { keys, range }, 1_000_000);
  return [...found].flatMap(([key, { steps, timesMs, values }]) =>
    Array.from(steps, (step, index) => ({
      key,
      step,
      timeMs: timesMs[index] ?? 0,
      value: values[index] ?? 0,
    })),
  );
}

export async function compareSummaries(world: World): Promise<void> {
  const visible = world.model.visible();
  const found = await runMetrics(world.deps, await runOf(world));
  expect(found.map(({ last }) => last.key)).toEqual([...new Set(visible.map(({ key }) => key))].sort());
  for (const summary of found) {
    const points = visible.filter(({ key }) => key === summary.last.key);
    const numbers = points.filter((each) => !Number.isNaN(each.value));
    const extreme = (best: number) => ({
      value: numbers.length === 0 ? Number.NaN : best,
      step:
        numbers.length === 0
          ? 0
          : Math.min(...numbers.filter((each) => each.value === best).map(({ step }) => step)),
    });
    expect({ ...summary, sum: meanOf(summary), first: summary.first.step, last: summary.last.step }).toEqual({
      count: points.length,
      nanCount: points.length - numbers.length,
      min: extreme(Math.min(...numbers.map((each) => each.value))),
      max: extreme(Math.max(...numbers.map((each) => each.value))),
      sum: numbers.reduce((sum, each) => sum + each.value, 0) / numbers.length,
      first: Math.min(...points.map(({ step }) => step)),
      last: Math.max(...points.map(({ step }) => step)),
    });
  }
}

/** Charts of the range lose no extreme and no point, and show none that is not there. */
export async function compareBuckets(world: World, count = 7, range: PointRange = {}): Promise<void> {
  const visible = world.model.visible().filter(({ step, timeMs }) => isInRange(range, step, timeMs));
  const run = await runOf(world);
  for (const axis of ["step", "time"] as const) {
    const found = await readBuckets(world.deps, run, { keys, range, buckets: count, axis });
    expect([...found.keys()].sort()).toEqual([...new Set(visible.map(({ key }) => key))].sort());
    for (const [key, buckets] of found) {
      const points = visible.filter((each) => each.key === key);
      const finite = points.map((each) => each.value).filter(Number.isFinite);
      const known = new Set(points.map(text));
      expect(buckets.reduce((sum, bucket) => sum + bucket.count, 0)).toBe(points.length);
      expect(buckets.reduce((sum, { nanCount }) => sum + nanCount, 0)).toBe(
        points.filter((each) => Number.isNaN(each.value)).length,
      );
      for (const [name, best] of [
        ["min", Math.min(...finite)],
        ["max", Math.max(...finite)],
      ] as const) {
        const kept = buckets.map((bucket) => bucket[name].value).filter(Number.isFinite);
        if (finite.length > 0) expect(name === "min" ? Math.min(...kept) : Math.max(...kept)).toBe(best);
        for (const bucket of buckets) {
          if (Number.isFinite(bucket[name].value))
            expect(known.has(text({ key, ...bucket[name] }))).toBe(true);
        }
      }
      for (const bucket of buckets) expect(known.has(text({ key, ...bucket.first }))).toBe(true);
      for (const bucket of buckets) expect(known.has(text({ key, ...bucket.last }))).toBe(true);
    }
  }
}
