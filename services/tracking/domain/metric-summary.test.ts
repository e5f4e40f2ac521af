import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { firstPoints, type MetricPoint } from "./metric-point.ts";
import { mergeSummaries, summaryOf } from "./metric-summary.ts";

const point = (step: number, value: number, timeMs = step, rank = 0): MetricPoint => ({
  key: "loss",
  value,
  step,
  timeMs,
  rank,
  attempt: 1,
});

const summarize = (points: readonly MetricPoint[]) => points.map(summaryOf).reduce(mergeSummaries);

describe("a metric's summary", () => {
  it("takes the last value from the highest step, and from the latest time among equal steps", () => {
    expect(summarize([point(3, 30, 9), point(4, 40, 1), point(4, 41, 2), point(1, 10, 99)]).last.value).toBe(
      41,
    );
  });

  it("counts NaN and keeps it out of smallest and largest", () => {
    const summary = summarize([point(1, Number.NaN), point(2, -1), point(3, Number.POSITIVE_INFINITY)]);
    expect(summary).toMatchObject({ min: -1, max: Number.POSITIVE_INFINITY, count: 3, nanCount: 1 });
  });

  it("is NaN throughout when every value is", () => {
    expect(summarize([point(1, Number.NaN), point(2, Number.NaN)])).toMatchObject({
      min: Number.NaN,
      max: Number.NaN,
      nanCount: 2,
    });
  });

  it("does not depend on the order in which batches are merged", () => {
    const points = fc.uniqueArray(fc.tuple(fc.nat({ max: 20 }), fc.nat({ max: 20 }), fc.double()), {
      selector: ([step, time]) => `${step}/${time}`,
      minLength: 1,
    });
    fc.assert(
      fc.property(points, fc.func(fc.nat()), (triples, order) => {
        const all = triples.map(([step, timeMs, value]) => point(step, value, timeMs));
        const shuffled = all.map((each) => ({ each, key: order(each) })).sort((a, b) => a.key - b.key);
        expect(summarize(shuffled.map(({ each }) => each))).toEqual(summarize(all));
      }),
    );
  });
});

describe("a limited history", () => {
  it("has the first points by step of every metric, in the order of key, step and time", () => {
    const accuracy = (step: number) => ({ ...point(step, 1), key: "accuracy" });
    const { points, truncated } = firstPoints([point(2, 0), point(1, 0), accuracy(2), accuracy(1)], 3);
    expect(points.map(({ key, step }) => `${key} ${step}`)).toEqual(["accuracy 1", "accuracy 2", "loss 1"]);
    expect(truncated).toBe(true);
  });
});
