import { expect, it } from "vitest";
import { runLoad } from "./telemetry/run-load.ts";

/** Printed, so that a failure can be run again: TRAINYARD_CHAOS_SEED=… npm test -- integration */
const seed = Number(process.env.TRAINYARD_CHAOS_SEED ?? Math.trunc(Math.random() * 1e9));

it(`keeps every point of 80 runs once while tracking and its database die (seed ${seed})`, async () => {
  const { broken, points } = await runLoad({ seed, runs: 80, seconds: 2, kills: 2, say: () => undefined });
  expect(broken).toEqual([]);
  expect(points).toBeGreaterThan(80);
}, 240_000);
