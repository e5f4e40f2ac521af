import { expect, it } from "vitest";
import { createCommitSignal } from "./commit-signal.ts";

const never = new AbortController().signal;
const LONG_MS = 60_000;

it("wakes whoever waits", async () => {
  const signal = createCommitSignal();
  const waiting = signal.wait(LONG_MS, never);
  signal.raise();
  await waiting;
});

it("remembers one raise that nobody waited for", async () => {
  const signal = createCommitSignal();
  signal.raise();
  signal.raise();
  await signal.wait(LONG_MS, never);
  const stop = new AbortController();
  let woken = false;
  const second = signal.wait(LONG_MS, stop.signal).then(() => {
    woken = true;
  });
  await Promise.resolve();
  expect(woken).toBe(false);
  stop.abort();
  await second;
});

it("ends a wait when its signal aborts", async () => {
  const stop = new AbortController();
  const waiting = createCommitSignal().wait(LONG_MS, stop.signal);
  stop.abort();
  await waiting;
});
