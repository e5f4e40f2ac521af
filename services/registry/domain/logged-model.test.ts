import { describe, expect, it } from "vitest";
import {
  distinctPoints,
  type LoggedModel,
  type ModelMetric,
  seriesWith,
  withPoints,
} from "./logged-model.ts";

const point = (key: string, step: number, value = 0): ModelMetric => ({
  ...{ key, step, value, timeMs: step },
  ...{ runId: "run_1", datasetName: "", datasetDigest: "" },
});
const model: LoggedModel = {
  ...{ id: "m-1", project: "default", experimentId: "exp_1", name: "net", modelType: "", status: "ready" },
  ...{ sourceRunId: "", params: [], tags: [], series: [], pointCount: 0, createdBy: "user:ada" },
  ...{ createdAt: new Date(0), updatedAt: new Date(0), deleted: false },
};

describe("the points of a logged model", () => {
  it("are distinct when a value, a NaN or an infinity differs", () => {
    const odd = [point("a", 1, Number.NaN), point("a", 1, Infinity), point("a", 1, -Infinity)];
    expect(distinctPoints([...odd, ...odd, point("a", 0)])).toEqual([...odd, point("a", 0)]);
  });

  it("make the last, smallest and largest of each metric, the one measured last at the end", () => {
    const first = seriesWith([], [point("a", 0, 5), point("b", 0, Number.NaN), point("a", 1, Number.NaN)]);
    expect(first.map(({ key, value, min, max }) => [key, value, min, max])).toEqual([
      ["b", Number.NaN, Number.NaN, Number.NaN],
      ["a", Number.NaN, 5, 5],
    ]);
    const second = seriesWith(first, [point("b", 1, 2), point("a", 2, 7), point("b", 2, 1)]);
    expect(second.map(({ key, value, min, max }) => [key, value, min, max])).toEqual([
      ["a", 7, 5, 7],
      ["b", 1, 1, 2],
    ]);
  });

  it("are counted, and refused when there are too many", () => {
    const full = { ...model, pointCount: 999_999 };
    expect(withPoints(full, [point("a", 0)]).pointCount).toBe(1_000_000);
    expect(() => withPoints(full, [point("a", 0), point("a", 1)])).toThrow(
      "LOGGED_MODEL_POINTS: at most 1000000",
    );
  });
});
