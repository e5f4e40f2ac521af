import { describe, expect, it } from "vitest";
import { ownerOf } from "./rendezvous.ts";

const items = Array.from({ length: 3_000 }, (_, index) => `run_${index}`);

describe("the owner of an item", () => {
  it("is nobody without workers, and the only one if there is one", () => {
    expect(ownerOf("run_1", [])).toBeUndefined();
    expect(ownerOf("run_1", ["a"])).toBe("a");
  });

  it("is each of several workers about equally often, in whatever order they are named", () => {
    const counts = new Map<string | undefined, number>();
    for (const item of items) {
      const owner = ownerOf(item, ["a", "b", "c"]);
      expect(ownerOf(item, ["c", "a", "b"])).toBe(owner);
      counts.set(owner, (counts.get(owner) ?? 0) + 1);
    }
    for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });

  it("changes only for what a lost worker had", () => {
    for (const item of items) {
      const before = ownerOf(item, ["a", "b", "c"]);
      if (before !== "b") expect(ownerOf(item, ["a", "c"])).toBe(before);
    }
  });
});
