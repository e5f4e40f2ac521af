import { describe, expect, it } from "vitest";
import { conditionFrom, shimStartFrom, whyReplace } from "./launcher-rules.ts";

const good = { current: true, label: "l", jobs: 199, grownBytes: 1_000_000 };

describe("a launcher", () => {
  it.each([
    ["is kept while it is good", {}, undefined],
    ["is replaced when the code on disk has changed", { current: false }, /code/],
    ["is replaced when it runs with another environment", { label: "m" }, /environment/],
    ["is replaced after 200 attempts", { jobs: 200 }, /200 attempts/],
    ["is replaced when it has grown by 256 MiB", { grownBytes: 256 * 2 ** 20 }, /256 MiB/],
  ])("%s", (_name, change, why) => {
    const found = whyReplace({ ...good, ...change }, "l");
    if (why === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(why);
  });

  it("is believed only when it answers in whole", () => {
    expect(conditionFrom({ ...good, pid: 3 })).toEqual(good);
    for (const answer of [undefined, null, "x", {}, { ...good, jobs: "1" }, { ...good, label: 1 }])
      expect(conditionFrom(answer)).toBeUndefined();
    expect(shimStartFrom({ start: "warm" })).toEqual({ start: "warm" });
    expect(shimStartFrom({ start: "cold", reason: "r" })).toEqual({ start: "cold", reason: "r" });
    for (const answer of [undefined, {}, { start: "cold" }, { start: "hot" }])
      expect(shimStartFrom(answer)).toBeUndefined();
  });
});
