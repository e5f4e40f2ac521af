import { create, toBinary } from "@bufbuild/protobuf";
import { workeragent } from "@trainyard/contracts";
import { type ServiceProcess, waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { type TestNode, testNode } from "./testing/test-node.ts";

let node: TestNode;
let agent: ServiceProcess;

beforeAll(async () => {
  node = await testNode();
  agent = await node.startAgent();
});

/** A state that would stop everything on the node, if it were believed. */
const unsigned = () =>
  toBinary(
    workeragent.NodeDesiredStateSchema,
    create(workeragent.NodeDesiredStateSchema, {
      protocolVersion: 1,
      nodeId: node.nodeId,
      leaderEpoch: 100n,
      generation: 1n,
    }),
  );

const refusals = () =>
  agent
    .output()
    .split("\n")
    .filter((line) => line.includes("the desired state is not applied")).length;

describe("a desired state that somebody else had the server write", () => {
  it.each<[string, () => Promise<Uint8Array>]>([
    ["is not signed", async () => unsigned()],
    ["is signed with another service's key", () => node.signedEmpty("tracking", node.nodeId)],
    ["is signed by the scheduler for another node", () => node.signedEmpty("scheduler", "n2")],
  ])("and that %s is ignored, said once, and the next true one counts", async (_what, makeValue) => {
    const job = await node.assignment({ script: "import time\ntime.sleep(60)\n" });
    await node.desire([job]);
    await node.reaches(job, "RUNNING");
    const applied = node.heartbeats.at(-1);
    const told = refusals();
    await node.forge(node.nodeId, await makeValue());
    await waitFor("the refusal in the log", () => refusals() > told);
    const before = node.heartbeats.length;
    await waitFor("two more heartbeats", () => node.heartbeats.length > before + 2);
    expect(node.status(job)?.phase).toBe(workeragent.AttemptPhase.RUNNING);
    expect(node.heartbeats.at(-1)).toMatchObject({
      appliedEpoch: applied?.appliedEpoch,
      appliedGeneration: applied?.appliedGeneration,
    });
    expect(refusals()).toBe(told + 1);

    // Nor does an agent believe it that starts now and knows of nothing else.
    await agent.kill("SIGKILL");
    agent = await node.startAgent();
    await waitFor("the refusal in the new log", () => refusals() > 0);
    expect((await node.reaches(job, "RUNNING")).ranks).toHaveLength(1);
    await node.desire([]);
    await waitFor("the scheduler's word to end it", () => node.status(job) === undefined);
  });
});
