import { expect, it } from "vitest";
import { createRunSignals } from "./run-signals.ts";

it("tells others of a run that is followed here, not at each look", () => {
  const signals = createRunSignals();
  const told: string[] = [];
  signals.tellBy((runId) => told.push(runId));
  expect(signals.isFollowed("a")).toBe(false);
  expect(signals.follow("a")).toBe(0);
  signals.follow("a");
  signals.follow("b");
  expect(told).toEqual(["a", "b"]);
  expect([signals.isFollowed("a"), signals.isFollowed("c")]).toEqual([true, false]);
});

it("has stored what has arrived of a run that is followed elsewhere, and tells nobody", () => {
  const signals = createRunSignals();
  const stored: string[] = [];
  const told: string[] = [];
  signals.tellBy((runId) => told.push(runId));
  signals.settleBy(async (runId) => stored.push(runId));
  signals.noteFollowed("a");
  expect(stored).toEqual(["a"]);
  expect(told).toEqual([]);
  expect(signals.isFollowed("a")).toBe(true);
});
