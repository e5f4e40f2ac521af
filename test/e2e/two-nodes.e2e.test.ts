import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registry, scheduler } from "@trainyard/contracts";
import { spawnAgent } from "@trainyard/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { phaseReached } from "../chaos/phase-reached.ts";
import { type Fleet, startFleet } from "../flow/fleet.ts";
import { digitsFlow } from "../flow/flow.ts";
import { brokenPromises } from "../flow/invariants.ts";

const second = "node_two";

let dir: string;
let fleet: Fleet;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "trainyard-nodes-"));
  fleet = await startFleet({ dir, slots: 1 });
  await fleet.platform.addAgent(second, { slots: 1 });
});

afterAll(async () => {
  await fleet.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Ends a node as a power cut would: its agent and every process of its attempts. */
async function cutPower(agent: Awaited<ReturnType<typeof spawnAgent>>): Promise<void> {
  await agent.kill("SIGKILL");
  const { TRAINYARD_AGENT_DIR = "" } = fleet.platform.serviceEnv("worker-agent", { nodeId: second });
  const attempts = join(TRAINYARD_AGENT_DIR, "attempts");
  for (const attempt of readdirSync(attempts)) {
    const shim: unknown = JSON.parse(readFileSync(join(attempts, attempt, "shim.json"), "utf8"));
    // The kernel ends the ranks with their shim.
    if (typeof shim === "object" && shim !== null && "pid" in shim) process.kill(Number(shim.pid), "SIGKILL");
  }
}

describe("a gang on two nodes", () => {
  it("trains across them, outlives the loss of one, and goes on when the node is back", async () => {
    const before = await spawnAgent(fleet.platform, second);
    const flow = digitsFlow(fleet, dir);
    await flow.prepare();
    const job = await flow.submit();
    await phaseReached("commit", fleet, flow);
    const running = await flow.user.scheduler.getJob({ jobId: job.id });
    expect(running.job?.attempts[0]?.placements.map(({ ranks }) => ranks)).toEqual([[0], [1]]);

    await cutPower(before);
    const after = await spawnAgent(fleet.platform, second);
    const ended = await flow.trained();
    expect(ended.state).toBe(scheduler.JobState.SUCCEEDED);
    expect(ended.attempts).toHaveLength(2);
    expect(ended.attempts[0]?.failure?.class).toBe(scheduler.FailureClass.INFRA);
    expect(Number(ended.attempts[1]?.resumedFromStep)).toBeGreaterThan(0);
    await flow.evaluated();
    expect((await flow.approve()).stage).toBe(registry.Stage.CHAMPION);
    expect(await brokenPromises(fleet, flow)).toEqual([]);
    await after.kill("SIGTERM");
  });
});
