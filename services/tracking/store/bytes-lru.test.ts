import { describe, expect, it } from "vitest";
import { createBytesLru } from "./bytes-lru.ts";

describe("what was used last", () => {
  it("forgets what was used longest ago when there are too many bytes", () => {
    const lru = createBytesLru<string>(10);
    lru.set("a", "A", 4);
    lru.set("b", "B", 4);
    expect(lru.get("a")).toBe("A");
    lru.set("c", "C", 4);
    expect([lru.get("a"), lru.get("b"), lru.get("c")]).toEqual(["A", undefined, "C"]);
    expect(lru.sizeBytes).toBe(8);
  });

  it("counts what is set again once", () => {
    const lru = createBytesLru<string>(10);
    lru.set("a", "A", 9);
    lru.set("a", "A", 6);
    expect([lru.get("a"), lru.sizeBytes]).toEqual(["A", 6]);
  });

  it("does not empty itself for what is too large alone", () => {
    const lru = createBytesLru<string>(10);
    lru.set("a", "A", 4);
    lru.set("b", "B", 11);
    expect([lru.get("a"), lru.get("b"), lru.sizeBytes]).toEqual(["A", undefined, 4]);
  });
});
