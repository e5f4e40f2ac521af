import { describe, expect, it } from "vitest";
import { cut, oneLine } from "./names.ts";

describe("a value of a parameter or tag", () => {
  it.each([
    ["is kept as it is when it fits", "ünï", 5, "ünï"],
    ["is cut by its bytes, at a whole character", "üüü", 5, "üü"],
    ["is cut at no half of a character of four bytes", "ab😀", 5, "ab"],
    ["is cut by its characters where each is a byte", "x".repeat(9), 6, "xxxxxx"],
  ])("%s", (_what, value, limit, kept) => expect(cut(value, limit)).toBe(kept));
});

describe("a run's name", () => {
  it.each([
    ["a\nb\t\u0000c", "a b c"],
    ["\n", "unnamed"],
    ["ü".repeat(300), "ü".repeat(250)],
  ])("is one line: %j", (name, line) => expect(oneLine(name)).toBe(line));
});
