import { describe, expect, it } from "vitest";
import { decodeWhole } from "./decode-whole.ts";
import { safePath } from "./safe-path.ts";
import { artifactPlace } from "./uris.ts";

describe("a path of an artifact", () => {
  it.each([
    "../x",
    "a/../../x",
    "/etc/passwd",
    "a\\b",
    "C:/x",
    "a#b",
    "a\0b",
    "%2e%2e/x",
    "%252e%252e/x",
    "a/%2e%2e%2fb",
    "%2Fetc",
  ])("is refused where it means something outside: %j", (path) =>
    expect(() => safePath(path)).toThrow("Invalid path"),
  );

  it.each([
    ["a/b c.txt", "a/b c.txt"],
    ["./a//b/", "a/b"],
    ["", ""],
    ["ünï/✓", "ünï/✓"],
    ["100%", "100%"],
    ["e\u0301.txt", "\u00e9.txt"],
  ])("is itself otherwise: %j", (path, safe) => expect(safePath(path)).toBe(safe));

  it("costs no more for being encoded again and again", () => {
    const path = `%${"25".repeat(1_000_000)}2e%2e`;
    const begun = performance.now();
    expect(decodeWhole(path)).toBeUndefined();
    expect(() => safePath(path)).toThrow("Invalid path");
    expect(performance.now() - begun).toBeLessThan(5_000);
  });

  it("belongs to a run or to a logged model, or to nothing", () => {
    expect(artifactPlace("0/run_1/artifacts/a/b")).toEqual({ kind: "run", runId: "run_1", path: "a/b" });
    expect(artifactPlace("0/models/m-1/artifacts/a")).toEqual({ kind: "model", modelId: "m-1", path: "a" });
    expect(artifactPlace("0/run_1")).toBeUndefined();
    expect(artifactPlace("")).toBeUndefined();
  });
});
