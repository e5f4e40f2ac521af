import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Phase } from "../chaos/cells.ts";
import { phaseReached } from "../chaos/phase-reached.ts";
import { type ProcessName, startFleet } from "../flow/fleet.ts";
import { digitsFlow } from "../flow/flow.ts";
import { brokenPromises } from "../flow/invariants.ts";

/** Who dies when: each part once, where it has something to lose. */
const deaths: readonly (readonly [Phase, ProcessName])[] = [
  ["admit", "scheduler"],
  ["start", "agent"],
  ["upload", "nats"],
  ["commit", "tracking"],
  ["commit", "mongod"],
  ["end", "registry"],
  ["evaluate", "evaluation"],
  ["evaluate", "dataset"],
];

describe("the main flow", () => {
  it("ends with one champion and every point once, though every part of the platform is killed on the way", async () => {
    const dir = mkdtempSync(join(tmpdir(), "trainyard-kill-"));
    // Forked ranks start in a tenth of the time.
    const fleet = await startFleet({ dir, env: { agent: { TRAINYARD_LAUNCHER: "warm" } } });
    onTestFinished(async () => {
      await fleet.stop();
      rmSync(dir, { recursive: true, force: true });
    });
    const flow = digitsFlow(fleet, dir);
    await flow.prepare();
    await flow.submit();
    const dying = (async () => {
      for (const [phase, name] of deaths) {
        await phaseReached(phase, fleet, flow);
        await fleet.kill(name);
      }
    })();
    dying.catch(() => undefined);
    await flow.trained();
    await flow.evaluated();
    await Promise.all([fleet.kill("gateway"), flow.approve()]);
    await dying;
    expect(await brokenPromises(fleet, flow)).toEqual([]);
    for (const [, name] of deaths) expect(fleet.deaths(name), name).toBeGreaterThan(0);
  });
});
