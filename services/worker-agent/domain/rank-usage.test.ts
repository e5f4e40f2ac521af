import { describe, expect, it } from "vitest";
import { type SessionCounters, usageBetween } from "./rank-usage.ts";

const counters = (changes: Partial<SessionCounters>): SessionCounters => ({
  atMs: 1_000,
  cpuMs: 500,
  memoryBytes: 10,
  readBytes: 100,
  writtenBytes: 0,
  processes: 1,
  ...changes,
});

describe("what a rank uses between two looks", () => {
  it("is its processor time in percent of one core, its memory now, and bytes a second", () => {
    const now = counters({ atMs: 3_000, cpuMs: 3_500, memoryBytes: 70, readBytes: 300, processes: 4 });
    expect(usageBetween(counters({}), now)).toEqual({
      cpuPercent: 150,
      memoryBytes: 70,
      readBytesPerSecond: 100,
      writtenBytesPerSecond: 0,
      processes: 4,
    });
  });

  it("is not less than nothing when a helper has ended with its counters", () => {
    const now = counters({ atMs: 2_000, cpuMs: 20, readBytes: 0 });
    expect(usageBetween(counters({}), now)).toMatchObject({ cpuPercent: 0, readBytesPerSecond: 0 });
  });

  it("cannot be told from one look, nor by a clock that stands still", () => {
    expect(usageBetween(counters({}), counters({}))).toBeUndefined();
  });
});
