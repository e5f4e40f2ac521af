import { describe, expect, it } from "vitest";
import { compareWeights, type SavedWeights } from "./compare-weights.ts";

const file = (path: string, digest: string, rank = 0) => ({ rank, path, digest });
const saved = (...steps: readonly (readonly [number, ...ReturnType<typeof file>[]])[]): SavedWeights => ({
  checkpoints: steps.map(([step, ...files]) => ({ step, files })),
  model: [],
});

describe("the weights of two runs", () => {
  it.each<[string, SavedWeights, SavedWeights, string, number | null]>([
    [
      "are identical when every file of the last checkpoint is",
      saved([10, file("model.pt", "x")], [20, file("model.pt", "a"), file("state.pt", "s", 1)]),
      saved([10, file("model.pt", "y")], [20, file("model.pt", "a"), file("state.pt", "s", 1)]),
      "identical",
      20,
    ],
    [
      "differ when one file does",
      saved([20, file("model.pt", "a"), file("optimizer.pt", "o")]),
      saved([20, file("model.pt", "a"), file("optimizer.pt", "p")]),
      "differs",
      20,
    ],
    [
      "differ when a file is missing in one",
      saved([20, file("model.pt", "a"), file("scaler.pt", "o")]),
      saved([20, file("model.pt", "a")]),
      "differs",
      20,
    ],
    [
      "cannot be compared where one saved last at another step",
      saved([10, file("model.pt", "a")], [20, file("model.pt", "b")]),
      saved([10, file("model.pt", "a")]),
      "not-comparable",
      10,
    ],
    [
      "are identical when only what holds no tensors differs",
      saved([20, file("model.pt", "a"), file("rank.json", "1")]),
      saved([20, file("model.pt", "a"), file("rank.json", "2")]),
      "identical",
      20,
    ],
    [
      "cannot be compared without a common step",
      saved([20, file("model.pt", "a")]),
      saved([10, file("model.pt", "a")]),
      "not-comparable",
      null,
    ],
    ["cannot be compared where nothing was saved", saved(), saved(), "not-comparable", null],
  ])("%s", (_what, a, b, verdict, step) => {
    expect(compareWeights(a, b)).toMatchObject({ verdict, step });
  });

  it("are those of the model where there is no checkpoint", () => {
    const model = (digest: string) => ({
      checkpoints: [],
      model: [file("model.pt2", digest), file("model.json", digest)],
    });
    expect(compareWeights(model("a"), model("a"))).toMatchObject({ verdict: "identical", step: null });
    expect(compareWeights(model("a"), model("b"))).toMatchObject({
      verdict: "differs",
      reason: "of 1 files with tensors 1 differ",
    });
  });
});
