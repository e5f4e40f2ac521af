import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyGates } from "./apply-gates.ts";
import type { ClassScores, Measured } from "./measured.ts";
import type { Gate, GateOp } from "./suite.ts";

const scores = (label: string, recall: number): ClassScores => ({
  label,
  precision: 0.9,
  recall,
  f1: 0.9,
  support: 10,
});

const measured: Measured = {
  rows: 30,
  metrics: { accuracy: 0.912, latency_p95_ms: 12.5, loss: Number.NaN, close: 0.92996 },
  classes: [scores("0", 0.95), scores("1", 0.71234), scores("2", 0.8)],
};

const gate = (metric: string, op: GateOp, value: number, perClass = false): Gate => ({
  metric,
  op,
  value,
  perClass,
});

describe("a gate", () => {
  it.each([
    ["below its bound", gate("accuracy", "ge", 0.93), false, "accuracy 0.912 is below 0.930"],
    ["at its bound", gate("accuracy", "ge", 0.912), true, "accuracy 0.912 is at least 0.912"],
    ["at a bound to be crossed", gate("accuracy", "gt", 0.912), false, "accuracy 0.912 is not above 0.912"],
    ["under its limit", gate("latency_p95_ms", "lt", 50), true, "latency_p95_ms 12.500 is below 50.000"],
    [
      "at a limit to stay below",
      gate("latency_p95_ms", "lt", 12.5),
      false,
      "latency_p95_ms 12.500 is not below 12.500",
    ],
    ["over its limit", gate("latency_p95_ms", "le", 10), false, "latency_p95_ms 12.500 is above 10.000"],
    ["a hair below, told apart", gate("close", "ge", 0.93), false, "close 0.92996 is below 0.93000"],
    ["not a number", gate("loss", "lt", 1), false, "loss is not a number (NaN)"],
    [
      "of the worst class, a low one",
      gate("recall", "ge", 0.8, true),
      false,
      "recall of class 1 0.712 is below 0.800",
    ],
    [
      "of the worst class, a high one",
      gate("recall", "le", 0.9, true),
      false,
      "recall of class 0 0.950 is above 0.900",
    ],
  ])("says what it found: %s", (_what, asked, passed, message) => {
    expect(applyGates([asked], measured)).toEqual([
      expect.objectContaining({ gate: asked, passed, message }),
    ]);
  });

  it("has not passed when its metric is missing, and names those that are there", () => {
    const [result] = applyGates([gate("auc", "ge", 0)], measured);
    expect(result).toMatchObject({ passed: false, measured: Number.NaN });
    expect(result?.message).toBe(
      "auc is missing from the report; it has accuracy, close, latency_p95_ms, loss",
    );
    const [inherited] = applyGates([gate("toString", "ge", 0)], measured);
    expect(inherited?.passed).toBe(false);
  });

  it("has not passed for any class when no class was measured", () => {
    const [result] = applyGates([gate("recall", "le", 1, true)], { ...measured, classes: [] });
    expect(result).toMatchObject({ passed: false, measured: Number.NaN });
    expect(result?.message).toBe("recall per class is missing from the report");
  });

  it("takes a class that could not be computed for the worst", () => {
    const classes = [scores("0", 0.9), scores("1", Number.NaN), scores("2", 0.1)];
    const [result] = applyGates([gate("recall", "ge", 0.5, true)], { ...measured, classes });
    expect(result).toMatchObject({ passed: false, message: "recall of class 1 is not a number (NaN)" });
  });

  const anyNumber = fc.double({ noNaN: false });
  const anyOp = fc.constantFrom<GateOp>("ge", "gt", "le", "lt");

  it("passes for each class exactly if it passes for every class alone", () => {
    fc.assert(
      fc.property(
        fc.array(anyNumber, { minLength: 1 }),
        anyOp,
        fc.double({ noNaN: true }),
        (recalls, op, bound) => {
          const classes = recalls.map((recall, index) => scores(String(index), recall));
          const [whole] = applyGates([gate("recall", op, bound, true)], { ...measured, classes });
          const alone = recalls.every(
            (recall) =>
              applyGates([gate("m", op, bound)], { ...measured, metrics: { m: recall } })[0]?.passed,
          );
          expect(whole?.passed).toBe(alone);
        },
      ),
    );
  });

  it("never says that two equal-looking numbers differ, and never passes NaN", () => {
    fc.assert(
      fc.property(anyNumber, anyOp, fc.double({ noNaN: true }), (value, op, bound) => {
        const [result] = applyGates([gate("m", op, bound)], { ...measured, metrics: { m: value } });
        if (Number.isNaN(value)) expect(result?.passed).toBe(false);
        const words = result?.message.split(" ") ?? [];
        if (result?.passed === false && value !== bound) expect(words[1]).not.toBe(words.at(-1));
      }),
    );
  });
});
