import { describe, expect, it } from "vitest";
import { formatDuration, parseDuration, parseMoment } from "./duration.ts";

describe("durations", () => {
  it.each([
    ["500ms", 500],
    ["90s", 90_000],
    ["10m", 600_000],
    ["1h30m", 5_400_000],
    ["2d", 172_800_000],
    ["1.5h", 5_400_000],
  ])("%s is read", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(["", "10", "m", "10 m", "10x", "-5m", "5m!"])("%j is refused with what is expected", (text) => {
    expect(() => parseDuration(text)).toThrow("expected a number with ms, s, m, h or d");
  });

  it.each([
    [400, "0.4 s"],
    [59_940, "59.9 s"],
    [59_960, "1 m 00 s"],
    [184_000, "3 m 04 s"],
    [3_599_600, "1 h 00 m"],
    [7_500_000, "2 h 05 m"],
    [273_600_000, "3 d 4 h"],
  ])("%d ms is shown as %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it("a moment is so long ago, or a time", () => {
    const now = new Date("2026-01-31T12:00:00Z");
    expect(parseMoment("10m", now).toISOString()).toBe("2026-01-31T11:50:00.000Z");
    expect(parseMoment("2026-01-30T00:00:00Z", now).toISOString()).toBe("2026-01-30T00:00:00.000Z");
    expect(() => parseMoment("yesterday", now)).toThrow("expected how long ago");
  });
});
