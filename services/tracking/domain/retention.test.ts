import { describe, expect, it } from "vitest";
import { type RetainedRun, whyExpired, whyPurged } from "./retention.ts";

const now = new Date("2026-06-30T00:00:00Z");
const daysAgo = (days: number) => new Date(now.getTime() - days * 24 * 60 * 60_000);
const old: RetainedRun = { endedAt: daysAgo(31), isTaggedKeep: false, hasModelVersion: false, newerRuns: 5 };

describe("a run's artifacts", () => {
  it.each<[string, Partial<RetainedRun>, number, number, boolean]>([
    ["go when the run ended longer ago than they are kept", {}, 30, 0, true],
    ["stay on the last day", { endedAt: daysAgo(30) }, 30, 0, false],
    ["stay while the run goes on", { endedAt: undefined }, 30, 0, false],
    ["stay for ever without a limit", {}, 0, 0, false],
    ["stay when the run is tagged to be kept", { isTaggedKeep: true }, 30, 0, false],
    ["stay when a model version was made of it", { hasModelVersion: true }, 30, 0, false],
    ["stay among the newest of the experiment", { newerRuns: 2 }, 30, 3, false],
    ["go when enough runs are newer", { newerRuns: 3 }, 30, 3, true],
  ])("%s", (_what, changes, days, keepNewestRuns, goes) => {
    const why = whyExpired({ ...old, ...changes }, days, { keepNewestRuns }, now);
    expect(why !== undefined).toBe(goes);
    if (goes) expect(why).toBe("the run ended 31 days ago, and 30 are kept");
  });
});

describe("a deleted run", () => {
  it.each([
    ["goes for good after its time", 31, 30, true],
    ["can be restored until then", 29.9, 30, false],
    ["stays for ever without a limit", 400, 0, false],
  ])("%s", (_what, age, purgeDeletedAfterDays, goes) => {
    expect(whyPurged(daysAgo(age), { purgeDeletedAfterDays }, now) !== undefined).toBe(goes);
  });

  it("that is not deleted stays", () => {
    expect(whyPurged(undefined, { purgeDeletedAfterDays: 1 }, now)).toBeUndefined();
  });
});
