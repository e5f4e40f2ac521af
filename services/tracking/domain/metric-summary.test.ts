import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MetricPoint } from "./metric-point.ts";
import { type MetricSummary, meanOf, mergeSummaries, summaryOf } from "./metric-summary.ts";

const point = (step: number, value: number, timeMs = step, rank = 0): MetricPoint => ({
  key: "loss",
  value,
  step,
  timeMs,
  rank,
  attempt: 1,
});

const summarize = (points: readonly MetricPoint[]) => points.map(summaryOf).reduce(mergeSummaries);

/** The sum has several exact spellings. */
const comparable = (summary: MetricSummary) => ({ ...summary, sum: meanOf(summary) });

describe("a metric's summary", () => {
  it("takes the last value from the highest step, and from the latest time among equal steps", () => {
    expect(summarize([point(3, 30, 9), point(4, 40, 1), point(4, 41, 2), point(1, 10, 99)]).last.value).toBe(
      41,
    );
  });

  it("counts NaN and keeps it out of smallest and largest", () => {
    const summary = summarize([point(1, Number.NaN), point(2, -1), point(3, Number.POSITIVE_INFINITY)]);
    expect(summary).toMatchObject({
      min: { value: -1, step: 2 },
      max: { value: Number.POSITIVE_INFINITY, step: 3 },
      count: 3,
      nanCount: 1,
    });
  });

  it("is NaN throughout when every value is", () => {
    expect(summarize([point(1, Number.NaN), point(2, Number.NaN)])).toMatchObject({
      min: { value: Number.NaN },
      max: { value: Number.NaN },
      nanCount: 2,
    });
  });

  it("tells extremes by the lowest step, the first value by the earliest time, and the mean without NaN", () => {
    const summary = summarize([
      point(4, 1, 3),
      point(2, 1, 8),
      point(2, 7, 6),
      point(9, 7),
      point(5, Number.NaN),
    ]);
    expect(summary).toMatchObject({
      min: { value: 1, step: 2 },
      max: { value: 7, step: 2 },
      first: { value: 7 },
    });
    expect(meanOf(summary)).toBe(4);
  });

  it("sums without rounding", () => {
    const values = [1e16, 1, -1e16, 1e-3, 2 ** -60];
    expect(meanOf(summarize(values.map((value, step) => point(step, value))))).toBe((1.001 + 2 ** -60) / 5);
    expect(meanOf(summarize([point(1, Number.POSITIVE_INFINITY), point(2, 1)]))).toBe(
      Number.POSITIVE_INFINITY,
    );
    expect(
      meanOf(
        summarize([point(1, Number.POSITIVE_INFINITY), point(2, Number.NEGATIVE_INFINITY), point(3, 1)]),
      ),
    ).toBeNaN();
  });

  it("does not depend on the order in which batches are merged", () => {
    const value = fc.oneof(
      fc.double({ min: -1e300, max: 1e300 }),
      fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-300, 0.1),
    );
    const points = fc.uniqueArray(fc.tuple(fc.nat({ max: 20 }), fc.nat({ max: 20 }), value), {
      selector: ([step, time]) => `${step}/${time}`,
      minLength: 1,
    });
    fc.assert(
      fc.property(points, fc.func(fc.nat()), (triples, order) => {
        const all = triples.map(([step, timeMs, value]) => point(step, value, timeMs));
        const shuffled = all.map((each) => ({ each, key: order(each) })).sort((a, b) => a.key - b.key);
        const inOtherOrder = comparable(summarize(shuffled.map(({ each }) => each)));
        expect(inOtherOrder).toEqual(comparable(summarize(all)));
      }),
    );
  });
});
