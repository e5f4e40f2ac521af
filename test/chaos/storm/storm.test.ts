import { describe, expect, it } from "vitest";
import { seededRandom } from "../seeded-random.ts";
import { drawFault, faults } from "./faults.ts";
import { jobKinds, unbrokenChain } from "./jobs.ts";
import { type Told, wrongPoints } from "./wrong-points.ts";

const kind = { name: "chain", script: "chain.py", ranks: 1, steps: 3, stepMs: 1 } as const;
const unbroken = unbrokenChain(kind);
const points = (rank: number, ...steps: readonly number[]): Told[] =>
  steps.map((step) => ({ rank, step: BigInt(step), value: unbroken.valueAt(rank, step) ?? Number.NaN }));

describe("the faults of a storm", () => {
  it("are drawn as their weights say, each of them, and the same for the same seed", () => {
    const draw = (seed: number) => {
      const random = seededRandom(seed);
      return Array.from({ length: 5_000 }, () => drawFault(faults, random()).name);
    };
    const drawn = draw(7);
    expect(draw(7)).toEqual(drawn);
    const total = faults.reduce((sum, { weight }) => sum + weight, 0);
    for (const { name, weight } of faults) {
      const share = drawn.filter((each) => each === name).length / drawn.length;
      expect(Math.abs(share - weight / total), name).toBeLessThan(0.03);
    }
  });
});

describe("what is known of a chain beforehand", () => {
  it("is what chain.py makes: each link the hash of the one before and the step", () => {
    // python: c = "start"; for s in 1, 2, 3: c = sha256(f"{c}:{s}")
    expect(unbroken.digest).toBe("771bf812bf0712c838c37c2909edbc54cac809fc3b48d2deef735cf9a46b9646");
    expect(unbroken.valueAt(0, 4)).toBeUndefined();
    expect(jobKinds(2).map(({ steps, stepMs }) => steps * stepMs)).toEqual([2_000, 2_000, 2_000]);
  });
});

describe("points after a storm", () => {
  it.each<[string, readonly Told[], readonly string[]]>([
    ["are whole when each step is there", points(0, 1, 2, 3), []],
    ["are whole when what one rank never said another did", [...points(0, 1, 3), ...points(1, 1, 2, 3)], []],
    ["are not when a step is missing", points(0, 1, 3), ["no rank's point of the steps 2"]],
    [
      "are not when one is there twice",
      points(0, 1, 2, 2, 3),
      ["the point of rank 0 at step 2 is there twice"],
    ],
    [
      "are not when one has another value",
      [...points(0, 1, 2), { rank: 0, step: 3n, value: 5 }],
      [`rank 0 said 5 at step 3, and ${unbroken.valueAt(0, 3)} in an unbroken run`],
    ],
  ])("%s", (_what, told, broken) => {
    expect(wrongPoints(told, 3, unbroken)).toEqual(broken);
  });
});
