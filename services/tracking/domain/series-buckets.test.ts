import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BLOCK_POINTS, blockStatistics } from "./block-statistics.ts";
import { compareValues } from "./metric-point.ts";
import { type PointStatistics, type SeriesAxis, SeriesBuckets, type SeriesPoint } from "./series-buckets.ts";

const value = fc.oneof(
  { weight: 8, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
  { weight: 1, arbitrary: fc.constantFrom(0, -0, 1, Number.MAX_VALUE, -Number.MAX_VALUE) },
  { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY) },
);
const point = fc.record({
  step: fc.integer({ min: -100, max: 300 }),
  timeMs: fc.integer({ min: 1_000, max: 1_200 }),
  value,
});
const series = fc.array(point, { minLength: 1, maxLength: 300 });
const buckets = fc.integer({ min: 1, max: 50 });
const axes = fc.constantFrom<SeriesAxis>("step", "time");

const along = (axis: SeriesAxis, { step, timeMs }: SeriesPoint) => (axis === "step" ? step : timeMs);
const inOrder = (axis: SeriesAxis) => (a: SeriesPoint, b: SeriesPoint) =>
  along(axis, a) - along(axis, b) ||
  a.step - b.step ||
  a.timeMs - b.timeMs ||
  compareValues(a.value, b.value);

function cut(axis: SeriesAxis, points: readonly SeriesPoint[], count: number): PointStatistics[] {
  const positions = points.map((each) => along(axis, each));
  const range = { low: Math.min(...positions), high: Math.max(...positions) };
  const collected = new SeriesBuckets(axis, range, count);
  for (const { step, timeMs, value: number } of points) collected.add(step, timeMs, number);
  return [...collected.statistics()];
}

const columnsOf = (points: readonly SeriesPoint[]) => ({
  steps: Float64Array.from(points, ({ step }) => step),
  timesMs: Float64Array.from(points, ({ timeMs }) => timeMs),
  values: Float64Array.from(points, (each) => each.value),
});

const same = (a: SeriesPoint, b: SeriesPoint) =>
  a.step === b.step && a.timeMs === b.timeMs && Object.is(a.value, b.value);

describe("a series cut into buckets", () => {
  it("keeps of each stretch the first, last, smallest and largest point, and counts every point once", () => {
    fc.assert(
      fc.property(series, buckets, axes, (points, count, axis) => {
        const found = cut(axis, points, count);
        const left = points.toSorted(inOrder(axis));
        expect(found.reduce((sum, bucket) => sum + bucket.count, 0)).toBe(points.length);
        for (const bucket of found) {
          // Buckets are stretches of the axis, so each holds the next so many points.
          const inside = left.splice(0, bucket.count);
          const finite = inside.map((each) => each.value).filter(Number.isFinite);
          expect(bucket.first).toEqual(inside[0]);
          expect(bucket.last).toEqual(inside.at(-1));
          const of = (which: number) => inside.filter((each) => Object.is(each.value, which)).length;
          expect(bucket.nanCount).toBe(of(Number.NaN));
          expect(bucket.positiveInfinityCount).toBe(of(Number.POSITIVE_INFINITY));
          expect(bucket.negativeInfinityCount).toBe(of(Number.NEGATIVE_INFINITY));
          expect(bucket.min.value === Math.min(...finite) || finite.length === 0).toBe(true);
          expect(bucket.max.value === Math.max(...finite) || finite.length === 0).toBe(true);
          if (finite.length === 0) expect([bucket.min.value, bucket.max.value]).toEqual([NaN, NaN]);
          else
            for (const kept of [bucket.min, bucket.max])
              expect(inside.some((each) => same(each, kept))).toBe(true);
        }
      }),
    );
  });

  it("comes to the same by columns as point by point, in order or not", () => {
    const isOrdered = fc.boolean();
    fc.assert(
      fc.property(series, buckets, axes, isOrdered, (points, count, axis, ordered) => {
        const given = ordered ? points.toSorted(inOrder(axis)) : points;
        const positions = given.map((each) => along(axis, each));
        const range = { low: Math.min(...positions), high: Math.max(...positions) };
        const collected = new SeriesBuckets(axis, range, count);
        const half = Math.floor(given.length / 2);
        collected.addColumns(columnsOf(given.slice(half)));
        collected.addColumns(columnsOf(given.slice(0, half)));
        expect([...collected.statistics()]).toEqual(cut(axis, given, count));
      }),
    );
  });

  it("keeps every extreme also when whole blocks go in by their statistics", () => {
    const long = fc.array(value, { minLength: 2 * BLOCK_POINTS, maxLength: 5 * BLOCK_POINTS });
    fc.assert(
      fc.property(long, buckets, (values, count) => {
        const points = values.map((each, step) => ({ step, timeMs: 1_000 + step, value: each }));
        const collected = new SeriesBuckets("step", { low: 0, high: points.length - 1 }, count);
        for (const block of blockStatistics(columnsOf(points))) collected.addStatistics(block);
        const found = [...collected.statistics()];
        const finite = values.filter(Number.isFinite);
        expect(found.reduce((sum, bucket) => sum + bucket.count, 0)).toBe(values.length);
        expect(found.reduce((sum, { nanCount }) => sum + nanCount, 0)).toBe(
          values.filter(Number.isNaN).length,
        );
        const kept = found.flatMap(({ min, max }) => [min.value, max.value]).filter(Number.isFinite);
        expect([Math.min(...kept), Math.max(...kept)]).toEqual([Math.min(...finite), Math.max(...finite)]);
        expect(found[0]?.first).toEqual(points[0]);
        expect(found.at(-1)?.last).toEqual(points.at(-1));
      }),
    );
  });
});
