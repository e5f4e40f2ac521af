import { describe, expect, it } from "vitest";
import { foldersOf, pathsBelow } from "./artifact-path.ts";

describe("an artifact's path", () => {
  it.each([
    ["a", []],
    ["a/b", ["a"]],
    ["a/b/c.txt", ["a", "a/b"]],
  ])("%j lies in %j", (path, folders) => {
    expect(foldersOf(path)).toEqual(folders);
  });

  it("is below a folder exactly when it is in the folder's range", () => {
    const { first, end } = pathsBelow("a");
    const inside = ["a", "a/b", "a/b/c", "a/\u{10FFFF}", "a-b", "a.b", "a0", "ab", "b", "a!"].filter(
      (path) => Buffer.compare(Buffer.from(path), Buffer.from(first)) >= 0 && path < end,
    );
    expect(inside).toEqual(["a/b", "a/b/c", "a/\u{10FFFF}"]);
  });
});
