import { DomainError } from "@trainyard/domain";
import { describe, expect, it } from "vitest";
import { formatMetric } from "../follow/metric-value.ts";
import { sparkline } from "../runs/sparkline.ts";
import { formatBytes } from "./bytes.ts";
import { errorText } from "./print-error.ts";
import { renderTable, renderTsv } from "./table.ts";
import { formatTime } from "./time.ts";

const columns = [
  { title: "name", cell: (row: { name: string; n: number }) => row.name },
  { title: "n", cell: (row: { name: string; n: number }) => String(row.n) },
];

describe("output", () => {
  it("aligns a table, also with wide characters, without trailing spaces", () => {
    const rows = [
      { name: "日本", n: 1 },
      { name: "digits", n: 22 },
    ];
    expect(renderTable(columns, rows)).toBe("name    n\n日本    1\ndigits  22");
  });

  it("gives programs a line per row with tabs, whatever the cells hold", () => {
    expect(renderTsv(columns, [{ name: "a\tb\nc", n: 1 }])).toBe("a b c\t1");
  });

  it("does not let names act on the terminal", () => {
    expect(renderTsv(columns, [{ name: "\u001b[2Jx", n: 1 }])).toBe("\ufffd[2Jx\t1");
  });

  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1_400_000, "1.4 MB"],
    [256 * 1024 * 1024, "268 MB"],
  ])("%d bytes are shown as %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it.each([
    [0.123456789, "0.12346"],
    [42, "42"],
    [0.00000123, "1.230e-6"],
    [Number.NaN, "NaN"],
    [Number.NEGATIVE_INFINITY, "-∞"],
  ])("the metric %d is shown as %s", (value, text) => {
    expect(formatMetric(value)).toBe(text);
  });

  it("draws a curve, with a gap where a value is not finite", () => {
    expect(sparkline([0, 1, 2, 3], 4)).toBe("▁▃▆█");
    expect(sparkline([0, Number.NaN, 1], 3)).toBe("▁ █");
    expect(sparkline([5, 5], 2)).toBe("▅▅");
    expect(sparkline([], 10)).toBe("");
  });

  it("shows the time alone for today and RFC 3339 to programs", () => {
    const at = new Date("2026-01-31T11:50:00.123Z");
    const now = new Date("2026-01-31T12:00:00Z");
    expect(formatTime(at, { utc: true, human: true, now })).toBe("11:50:00Z");
    expect(formatTime(at, { utc: true, human: true, now: new Date("2026-02-01T00:00:00Z") })).toBe(
      "2026-01-31 11:50:00Z",
    );
    expect(formatTime(at, { utc: false, human: false, now })).toBe("2026-01-31T11:50:00.123Z");
    expect(formatTime(undefined, { utc: true, human: true, now })).toBe("");
  });

  it("an error says what, which field, what to do, and its reason, without a stack", () => {
    const error = new DomainError("unavailable", "NO_PLATFORM", "no platform answers at http://x", {
      violations: [{ field: "spec.ranks", description: "expected 1 to 4096" }],
    });
    const text = errorText(error);
    expect(text).toContain("no platform answers at http://x");
    expect(text).toContain("spec.ranks: expected 1 to 4096");
    expect(text).toContain("`npm start`");
    expect(text).toContain("NO_PLATFORM");
    expect(text).not.toMatch(/^\s+at /m);
  });
});
