import { expect, it } from "vitest";
import { createRunSignals } from "./run-signals.ts";

it("tells others of a run that is followed here, not at each look", () => {
  const signals = createRunSignals();
  const told: string[] = [];
  signals.tellBy({ followed: (runId) => told.push(runId), changed: () => {} });
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
  signals.tellBy({ followed: (runId) => told.push(runId), changed: (runId) => told.push(runId) });
  signals.settleBy(async (runId) => stored.push(runId));
  signals.noteFollowed("a");
  expect(stored).toEqual(["a"]);
  expect(told).toEqual([]);
  expect(signals.isFollowed("a")).toBe(true);
});

it("tells others of what was stored of a run that somebody follows, here or elsewhere, and passes on nothing that it was told", () => {
  const signals = createRunSignals();
  const told: string[] = [];
  signals.tellBy({ followed: () => {}, changed: (runId) => told.push(runId) });
  signals.raise("a");
  signals.follow("b");
  signals.raise("b");
  signals.noteFollowed("c");
  signals.raise("c");
  signals.noteChanged("c");
  expect(told).toEqual(["b", "c"]);
});
