import { describe, expect, it } from "vitest";
import { createRecent, RECENT_MS } from "./recent.ts";

const record = { id: "run_1" };

describe("the records of a moment ago", () => {
  it("are remembered for a moment", () => {
    let now = 0;
    const recent = createRecent(() => now);
    recent.keep(record, recent.changes());
    now = RECENT_MS - 1;
    expect(recent.get("run_1")).toBe(record);
    expect(recent.get("run_2")).toBeUndefined();
    now = RECENT_MS;
    expect(recent.get("run_1")).toBeUndefined();
  });

  it("are not remembered while a change is under way, nor as a read that began before it saw them", () => {
    const recent = createRecent(() => 0);
    recent.keep(record, recent.changes());
    const before = recent.changes();
    const done = recent.changing("run_1");
    expect(recent.get("run_1")).toBeUndefined();
    recent.keep(record, recent.changes());
    expect(recent.get("run_1")).toBeUndefined();
    const during = recent.changes();
    done();
    recent.keep(record, before);
    recent.keep(record, during);
    expect(recent.get("run_1")).toBeUndefined();
    recent.keep(record, recent.changes());
    expect(recent.get("run_1")).toBe(record);
  });
});
