import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  assertArtifactPath,
  assertId,
  assertName,
  bumpSemver,
  compareSemver,
  DomainError,
  formatSemver,
  isDomainError,
  isId,
  newId,
  parseSemver,
} from "./index.ts";

/** The error that the function throws; fails the test when it throws none or another kind. */
function thrown(fn: () => void): DomainError {
  try {
    fn();
  } catch (error) {
    if (isDomainError(error)) return error;
    throw error;
  }
  throw new Error("expected a DomainError");
}

describe("ids", () => {
  it("carry their kind and are recognised only as that kind", () => {
    const id = newId("job");
    expect(id).toMatch(/^job_[0-9a-hjkmnp-tv-z]{26}$/);
    expect(isId("job", id)).toBe(true);
    expect(isId("run", id)).toBe(false);
  });

  it("sort in the order in which they were made", () => {
    const ids = Array.from({ length: 2000 }, () => newId("evt"));
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it.each([
    "",
    "job",
    "job_",
    "job_01h455vb4pex5vsknk084sn02",
    "job_01H455VB4PEX5VSKNK084SN02Q",
    "job_../../etc",
  ])("are not recognised in %j", (text) => {
    expect(isId("job", text)).toBe(false);
    expect(thrown(() => assertId("job", "job_id", text))).toMatchObject({
      code: "invalid_argument",
      reason: "ID_INVALID",
      violations: [{ field: "job_id" }],
    });
  });
});

describe("names", () => {
  it.each(["a", "digits-cnn_2.1", "_x", "9", "x".repeat(128)])("accept %j", (text) => {
    expect(() => assertName("name", text)).not.toThrow();
  });

  it.each(["", ".hidden", "-flag", "a b", "a/b", "a*", "ä", "a\n", "x".repeat(129)])("refuse %j", (text) => {
    expect(thrown(() => assertName("spec.name", text))).toMatchObject({
      code: "invalid_argument",
      reason: "NAME_INVALID",
      violations: [{ field: "spec.name" }],
    });
  });
});

describe("artifact paths", () => {
  it.each(["model.pt", "reports/größe.json", "a/b/c..d/.e", "x".repeat(512)])("accept %j", (text) => {
    expect(() => assertArtifactPath("path", text)).not.toThrow();
  });

  it.each([
    ["", "is empty"],
    ["../../x", '".."'],
    ["a/../b", '".."'],
    ["/etc/passwd", "absolute"],
    ["a//b", "empty part"],
    ["a/./b", "empty part"],
    ["a/", "empty part"],
    ["a\\b", "backslash"],
    ["a\u0000b", "control character"],
    ["gro\u0308sse", "normal form C"],
    ["\ud800", "not valid Unicode"],
    ["x".repeat(513), "512 bytes"],
  ])("refuse %j because it %s", (text, why) => {
    const error = thrown(() => assertArtifactPath("artifact.path", text));
    expect(error.reason).toBe("ARTIFACT_PATH_INVALID");
    expect(error.message).toContain(why);
  });

  it("never resolve outside their folder", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("..", ".", "", "a", "b\\c", "/")), (parts) => {
        const path = parts.join("/");
        try {
          assertArtifactPath("path", path);
        } catch {
          return true;
        }
        return new URL(path, "file:///root/in/").href.startsWith("file:///root/in/");
      }),
    );
  });
});

describe("semantic versions", () => {
  it("bump a part and reset the lower ones", () => {
    expect(bumpSemver("1.4.2", "major")).toBe("2.0.0");
    expect(bumpSemver("1.4.2", "minor")).toBe("1.5.0");
    expect(bumpSemver("1.4.2", "patch")).toBe("1.4.3");
  });

  it("compare by number and not by text", () => {
    expect(["1.10.0", "1.9.3", "0.99.99", "1.9.12"].sort(compareSemver)).toEqual([
      "0.99.99",
      "1.9.3",
      "1.9.12",
      "1.10.0",
    ]);
  });

  it.each(["", "1", "1.2", "01.2.3", "1.2.3-rc1", "v1.2.3", "1.2.3 ", "1.2.99999999999"])(
    "refuse %j",
    (text) => {
      expect(thrown(() => parseSemver(text)).reason).toBe("SEMVER_INVALID");
    },
  );

  it("are read back as they were written", () => {
    const part = fc.nat({ max: 999_999_999 });
    fc.assert(
      fc.property(part, part, part, (major, minor, patch) => {
        expect(parseSemver(formatSemver({ major, minor, patch }))).toEqual({ major, minor, patch });
      }),
    );
  });
});

describe("a domain error", () => {
  it("keeps its cause, fields and metadata", () => {
    const cause = new Error("disk");
    const error = new DomainError("unavailable", "BUS_DOWN", "The bus is away.", {
      cause,
      metadata: { bus: "nats" },
      retryAfterMs: 500,
    });
    expect(error).toMatchObject({ cause, metadata: { bus: "nats" }, retryAfterMs: 500, violations: [] });
    expect(isDomainError(error, "BUS_DOWN")).toBe(true);
    expect(isDomainError(error, "OTHER")).toBe(false);
    expect(isDomainError(cause)).toBe(false);
  });
});
