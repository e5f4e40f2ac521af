import { describe, expect, it } from "vitest";
import { bytesOf } from "./byte-size.ts";

describe("a size", () => {
  it.each([
    ["8GiB", 8 * 1024 ** 3],
    ["500 MB", 500_000_000],
    ["1.5KiB", 1536],
    ["0", 0],
    [4096, 4096],
    ["12B", 12],
  ])("%s is %d bytes", (text, bytes) => {
    expect(bytesOf(text)).toBe(bytes);
  });

  it.each(["8 gigs", "8Gib", "-1GiB", "", "GiB", "1e9", "9".repeat(30), Number.NaN])("%s is none", (text) => {
    expect(bytesOf(text)).toBeUndefined();
  });
});
