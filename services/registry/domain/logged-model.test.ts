import { describe, expect, it } from "vitest";
import { type ModelMetric, withMetrics } from "./logged-model.ts";

const point = (key: string, step: number, value = 0): ModelMetric => ({
  ...{ key, step, value, timeMs: step },
  ...{ runId: "run_1", datasetName: "", datasetDigest: "" },
});
const series = (key: string, count: number) => Array.from({ length: count }, (_, step) => point(key, step));

describe("the metrics of a logged model", () => {
  it("are kept once each, NaN and the infinities too, in the order in which they came", () => {
    const odd = [point("a", 1, Number.NaN), point("a", 1, Infinity), point("a", 1, -Infinity)];
    expect(withMetrics(odd, [...odd, point("a", 0)])).toEqual([...odd, point("a", 0)]);
  });

  it("give way by age when there are too many, but for the last of each", () => {
    const once = point("accuracy", 0, 0.5);
    const kept = withMetrics([once, ...series("loss", 9_999)], [point("loss", 9_999), point("loss", 10_000)]);
    expect(kept).toHaveLength(10_000);
    expect(kept.slice(0, 2)).toEqual([once, point("loss", 2)]);
    expect(kept.at(-1)).toEqual(point("loss", 10_000));
  });

  it("are refused when there are too many different ones", () => {
    const many = Array.from({ length: 10_001 }, (_, index) => point(`metric ${index}`, 0));
    expect(() => withMetrics([], many)).toThrow("LOGGED_MODEL_METRICS");
  });
});
