import { describe, expect, it } from "vitest";
import type { Test } from "./comparison.ts";
import { compileComparison, valueTest } from "./compile.ts";
import { likePattern } from "./like-pattern.ts";

const startTime = (test: Test) =>
  compileComparison("runs", { column: { kind: "attribute", name: "start_time" }, test });
const at = (ms: number) => new Date(ms);

describe("times, which are stored in whole milliseconds", () => {
  it.each<[Test, unknown]>([
    [{ is: ">", value: 1.5 }, { $gt: at(1) }],
    [{ is: ">=", value: 1.5 }, { $gte: at(2) }],
    [{ is: "<", value: 1.5 }, { $lt: at(2) }],
    [{ is: "<=", value: 1.5 }, { $lte: at(1) }],
    [{ is: "=", value: 1.5 }, { $in: [] }],
    [{ is: "!=", value: 1.5 }, { $nin: [] }],
    [{ is: "<", value: Number.POSITIVE_INFINITY }, { $lt: at(8_640_000_000_000_000) }],
    [{ is: "in", values: [1, 1.5] }, { $in: [at(1)] }],
  ])("%j", (test, condition) => {
    expect(startTime(test)).toEqual({ startTime: condition });
  });
});

describe("a LIKE pattern", () => {
  it.each([
    ["a%", "^a[\\s\\S]*$"],
    ["_b", "^.b$"],
    ["1.0+(x)|$", "^1\\.0\\+\\(x\\)\\|\\$$"],
    ["\0\n", "^\\x00\\x0a$"],
    ["", "^$"],
  ])("%j becomes %s", (pattern, source) => {
    expect(likePattern(pattern)).toBe(source);
    expect(valueTest({ is: "like", pattern, ignoreCase: true })).toEqual({ $regex: source, $options: "si" });
  });
});
