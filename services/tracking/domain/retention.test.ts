import { describe, expect, it } from "vitest";
import { type RetainedRun, type RunVersion, whyExpired, whyPurged } from "./retention.ts";

const now = new Date("2026-06-30T00:00:00Z");
const daysAgo = (days: number) => new Date(now.getTime() - days * 24 * 60 * 60_000);
const old: RetainedRun = { endedAt: daysAgo(31), isTaggedKeep: false, versions: [], newerRuns: 5 };

const inStage = (stage: RunVersion["stage"], days: number) => ({ stage, since: daysAgo(days) });

describe("a run's artifacts", () => {
  it.each<[string, Partial<RetainedRun>, number, number, boolean]>([
    ["go when the run ended longer ago than they are kept", {}, 30, 0, true],
    ["stay on the last day", { endedAt: daysAgo(30) }, 30, 0, false],
    ["stay while the run goes on", { endedAt: undefined }, 30, 0, false],
    ["stay for ever without a limit", {}, 0, 0, false],
    ["stay when the run is tagged to be kept", { isTaggedKeep: true }, 30, 0, false],
    ["stay among the newest of the experiment", { newerRuns: 2 }, 30, 3, false],
    ["go when enough runs are newer", { newerRuns: 3 }, 30, 3, true],
  ])("%s", (_what, changes, days, keepNewestRuns, goes) => {
    const why = whyExpired({ ...old, ...changes }, days, { keepNewestRuns, archivedVersionDays: 0 }, now);
    expect(why !== undefined).toBe(goes);
    if (goes) expect(why).toBe("the run ended 31 days ago, and 30 are kept");
  });

  it.each<[string, readonly Pick<RunVersion, "stage" | "since">[], number, boolean]>([
    ["stay while a version of it is in staging, however long", [inStage("staging", 900)], 10, false],
    ["stay while a version of it is canary", [inStage("canary", 900)], 10, false],
    ["stay while a version of it is champion", [inStage("champion", 900)], 10, false],
    ["stay while the stage of a version is not known", [inStage("unknown", 900)], 10, false],
    ["stay when its version was archived without a limit", [inStage("archived", 900)], 0, false],
    ["go when its version was deleted", [inStage("deleted", 11)], 0, true],
    ["stay until the limit after its version was archived", [inStage("archived", 10)], 10, false],
    ["go when its version was archived longer ago", [inStage("archived", 11)], 10, true],
    ["stay while one of two holds it", [inStage("archived", 11), inStage("champion", 1)], 10, false],
    ["go when neither of two holds it", [inStage("archived", 11), inStage("archived", 12)], 10, true],
  ])("%s", (_what, stages, archivedVersionDays, goes) => {
    const versions = stages.map((each, index) => ({ ...each, name: `digits 1.${index}.0` }));
    const why = whyExpired({ ...old, versions }, 30, { keepNewestRuns: 0, archivedVersionDays }, now);
    expect(why !== undefined).toBe(goes);
    if (goes) {
      expect(why).toMatch(
        /^the run ended 31 days ago, and 30 are kept; digits 1.0.0 was (archived 11 days ago, and holds it for 10|deleted 11 days ago)/,
      );
    }
  });
});

describe("a deleted run", () => {
  it.each([
    ["goes for good after its time", 31, 30, true],
    ["can be restored until then", 29.9, 30, false],
    ["stays for ever without a limit", 400, 0, false],
  ])("%s", (_what, age, purgeDeletedAfterDays, goes) => {
    const run = { deletedAt: daysAgo(age), versions: [] };
    expect(whyPurged(run, { purgeDeletedAfterDays }, now) !== undefined).toBe(goes);
  });

  it.each([
    ["staging", false],
    ["canary", false],
    ["champion", false],
    ["archived", true],
    ["deleted", true],
    ["unknown", true],
  ] as const)("of which a model version is in %s goes: %s", (stage, goes) => {
    const versions = [
      { ...inStage("archived", 9), name: "a 1.0.0" },
      { ...inStage(stage, 1), name: "b 1.0.0" },
    ];
    const why = whyPurged({ deletedAt: daysAgo(31), versions }, { purgeDeletedAfterDays: 30 }, now);
    expect(why !== undefined).toBe(goes);
  });

  it("that is not deleted stays", () => {
    const run = { deletedAt: undefined, versions: [] };
    expect(whyPurged(run, { purgeDeletedAfterDays: 1 }, now)).toBeUndefined();
  });
});
