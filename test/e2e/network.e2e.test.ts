import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registry, scheduler } from "@trainyard/contracts";
import { spawnAgent, type TestNetwork, testNetwork, waitFor } from "@trainyard/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Fleet, startFleet } from "../flow/fleet.ts";
import { digitsFlow } from "../flow/flow.ts";
import { brokenPromises } from "../flow/invariants.ts";
import { agentDir } from "../flow/leftovers.ts";
import { rankProcesses } from "../flow/rank-processes.ts";

const names: readonly string[] = ["node_a", "node_b", "node_c"];
/** Shorter than the default minute, so that the test sees a node that is cut off end its ranks by itself. */
const env = { TRAINYARD_FENCE_AFTER_MS: "8000" };

let dir: string;
let network: TestNetwork;
let fleet: Fleet;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "trainyard-network-"));
  network = testNetwork(names.length);
  fleet = await startFleet({ dir, listenHost: network.hostAddress, localAgent: false });
  for (const [index, name] of names.entries()) {
    await fleet.platform.addAgent(name, { slots: 1 });
    const on = network.nodes[index];
    if (on !== undefined) await spawnAgent(fleet.platform, name, env, { on, readyTimeoutMs: 60_000 });
  }
});

afterAll(async () => {
  await fleet.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Processes of the job's attempt on a node. */
const processesOf = (nodeId: string, attempt: string) =>
  rankProcesses([agentDir(fleet.platform, nodeId)]).filter((process) => process.attempt === attempt);

describe("a gang on nodes with addresses of their own", () => {
  it("goes on elsewhere when a cable is pulled, and the node that was cut off ends what it ran", async () => {
    const flow = digitsFlow(fleet, dir);
    await flow.prepare();
    const { id } = await flow.submit();
    const now = async () => (await flow.user.scheduler.getJob({ jobId: id })).job;
    const { runId = "" } = flow.progress;
    await waitFor(
      "a checkpoint",
      async () => (await flow.user.tracking.listCheckpoints({ runId })).checkpoints.length > 0,
      { timeoutMs: 120_000 },
    );
    const placements = (await now())?.attempts[0]?.placements ?? [];
    expect(placements.map(({ ranks }) => ranks)).toEqual([[0], [1]]);

    const lost = placements[1]?.nodeId ?? "";
    const cable = network.nodes[names.indexOf(lost)];
    expect(processesOf(lost, `${id}-1`)).not.toEqual([]);
    cable?.cut();
    const second = await waitFor("the next attempt", async () => (await now())?.attempts[1], {
      timeoutMs: 60_000,
    });
    expect((await now())?.attempts[0]?.failure).toMatchObject({
      class: scheduler.FailureClass.INFRA,
      reason: "NODE_LOST",
    });
    await waitFor("ranks elsewhere", async () => (await now())?.attempts[1]?.placements.length === 2);
    expect(second.placements.map(({ nodeId }) => nodeId)).not.toContain(lost);
    await waitFor("the node to fence itself", () => processesOf(lost, `${id}-1`).length === 0, {
      timeoutMs: 60_000,
    });
    cable?.heal();

    const ended = await flow.trained();
    expect(ended.state).toBe(scheduler.JobState.SUCCEEDED);
    expect(ended.attempts).toHaveLength(2);
    await flow.evaluated();
    expect((await flow.approve()).stage).toBe(registry.Stage.CHAMPION);
    expect(await brokenPromises(fleet, flow)).toEqual([]);
  });
});
