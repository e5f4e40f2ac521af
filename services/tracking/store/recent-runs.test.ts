import { describe, expect, it } from "vitest";
import type { RunRecord } from "../domain/run-record.ts";
import { createRecentRuns, RECENT_MS } from "./recent-runs.ts";

const outside = { id: "run_1", jobId: "" } as RunRecord;

describe("the runs of a moment ago", () => {
  it("are remembered for a moment, if no job keeps them", () => {
    let now = 0;
    const recent = createRecentRuns(() => now);
    recent.keep(outside, recent.changes());
    recent.keep({ ...outside, id: "run_2", jobId: "job_1" }, recent.changes());
    now = RECENT_MS - 1;
    expect(recent.get("run_1")).toBe(outside);
    expect(recent.get("run_2")).toBeUndefined();
    now = RECENT_MS;
    expect(recent.get("run_1")).toBeUndefined();
  });

  it("are not remembered while a change is under way, nor as a read that began before it saw them", () => {
    const recent = createRecentRuns(() => 0);
    recent.keep(outside, recent.changes());
    const before = recent.changes();
    const done = recent.changing("run_1");
    expect(recent.get("run_1")).toBeUndefined();
    recent.keep(outside, recent.changes());
    expect(recent.get("run_1")).toBeUndefined();
    const during = recent.changes();
    done();
    recent.keep(outside, before);
    recent.keep(outside, during);
    expect(recent.get("run_1")).toBeUndefined();
    recent.keep(outside, recent.changes());
    expect(recent.get("run_1")).toBe(outside);
  });
});
