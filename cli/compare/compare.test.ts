import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import { describe, expect, it } from "vitest";
import { compareRuns, exactNumber } from "./compare.ts";
import { comparisonLines } from "./compare-text.ts";
import { runFacts } from "./run-facts.ts";

function run(id: string, more: MessageInitShape<typeof tracking.RunSchema>) {
  return create(tracking.RunSchema, { ...more, id, name: id } as MessageInitShape<typeof tracking.RunSchema>);
}

function summary(last: number, more: { readonly min?: number; readonly max?: number } = {}) {
  return { last, min: more.min ?? last, max: more.max ?? last, count: 1n, nanCount: 0n, lastStep: 0n };
}

const facts = (one: tracking.Run, environment?: unknown) => runFacts(one, environment);

describe("runs side by side", () => {
  it("differ where one lacks what another has, and in any of three", () => {
    const comparison = compareRuns([
      facts(run("a", { params: { lr: 0.1, depth: 3, name: "x" } })),
      facts(run("b", { params: { lr: 0.1, depth: 3, name: "x" } })),
      facts(run("c", { params: { lr: 0.1, depth: 4 } })),
    ]);
    expect(comparison.params).toEqual([
      { name: "depth", values: ["3", "3", "4"], differs: true },
      { name: "lr", values: ["0.1", "0.1", "0.1"], differs: false },
      { name: "name", values: ["x", "x", undefined], differs: true },
    ]);
  });

  it.each([
    ["NaN and NaN are the same", Number.NaN, Number.NaN, false],
    ["NaN differs from a number", Number.NaN, 0, true],
    ["0 differs from -0", 0, -0, true],
    ["the infinities differ", Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, true],
    ["neighbouring doubles differ", 0.1 + 0.2, 0.3, true],
  ])("%s", (_what, one, other, differs) => {
    const comparison = compareRuns([
      facts(run("a", { metrics: { loss: summary(one) } })),
      facts(run("b", { metrics: { loss: summary(other) } })),
    ]);
    const last = comparison.metrics.find(({ aggregate }) => aggregate === "last");
    expect(last).toEqual({ key: "loss", aggregate: "last", values: [one, other], differs });
  });

  it("flattens environments, so that one package's version is one line", () => {
    const comparison = compareRuns([
      facts(run("a", {}), {
        packages: { torch: "2.1", numpy: "2" },
        python: { version: "3.12" },
        gpus: ["A", "B"],
      }),
      facts(run("b", {}), { packages: { torch: "2.2", numpy: "2" }, python: { version: "3.12" } }),
    ]);
    expect(comparison.environment.filter(({ differs }) => differs)).toEqual([
      { name: "gpus", values: ["A B", undefined], differs: true },
      { name: "packages.torch", values: ["2.1", "2.2"], differs: true },
    ]);
  });

  it("shows on a terminal two long values that differ late as different, and whole ones in a pipe", () => {
    const long = "x".repeat(5000);
    const comparison = compareRuns([
      facts(run("a", { paramTexts: { text: `${long}1` } })),
      facts(run("b", { paramTexts: { text: `${long}2` } })),
    ]);
    const lines = (human: boolean) => comparisonLines(comparison, { all: false, metrics: [], human });
    const [cut, whole] = [lines(true)[0]?.values, lines(false)[0]?.values];
    expect(new Set(cut).size).toBe(2);
    expect(cut?.[0]).toMatch(/^x{24}… \(5001 characters, [0-9a-f]{6}\)$/);
    expect(whole?.[1]).toBe(`${long}2`);
  });

  it("writes the numbers that JSON lacks as texts", () => {
    const odd = [Number.NaN, Number.NEGATIVE_INFINITY, -0, undefined, 0.1, 5e-324];
    expect(odd.map(exactNumber)).toEqual(["NaN", "-Infinity", "-0", null, 0.1, 5e-324]);
  });
});
