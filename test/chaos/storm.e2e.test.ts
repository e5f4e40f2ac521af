import { describe, expect, it } from "vitest";
import { runStorm } from "./storm/run-storm.ts";

/** Printed, so that a failure can be run again: TRAINYARD_CHAOS_SEED=… npm test -- e2e */
const seed = Number(process.env.TRAINYARD_CHAOS_SEED ?? Math.trunc(Math.random() * 1e9));

describe(`a storm (seed ${seed})`, () => {
  it("leaves every job with one end, its points whole, its weights those of an unbroken run, and no process", async () => {
    const lines: string[] = [];
    const say = (line: string) => void lines.push(line);
    const short = { forMs: 4_000, nodes: 2, jobSeconds: 2, severity: 0.5 };
    const { broken, output } = await runStorm({ seed, say, ...short });
    expect(broken, [...lines, output].join("\n")).toEqual([]);
  });
});
