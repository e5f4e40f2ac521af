import { join } from "node:path";
import { scheduler } from "@trainyard/contracts";
import { waitFor } from "@trainyard/testing";
import { expect, it } from "vitest";
import { readLauncherRecord } from "./launcher/launcher-record.ts";
import { signalProcess } from "./ranks/processes.ts";
import { type JobChanges, testNode } from "./testing/test-node.ts";

const script = `
import torch, torch.distributed as dist
dist.init_process_group("gloo")
x = torch.full((2,), float(dist.get_rank() + 1))
dist.all_reduce(x)
print(x.tolist())
dist.destroy_process_group()
`;

it("forks a gang from the launcher, starts it cold with the reason where it must, and survives the launcher's death", {
  timeout: 300_000,
}, async () => {
  const node = await testNode();
  const agent = await node.startAgent({ TRAINYARD_LAUNCHER: "warm", TRAINYARD_ON_STOP: "stop" });
  const launcherReady = (after: number) =>
    waitFor("the launcher", () => agent.output().split("the launcher is ready").length > after, {
      timeoutMs: 120_000,
    });
  /** How the gangs were started so far, as the agent logged it. */
  const starts = () =>
    [...agent.output().matchAll(/"start":"(warm|cold)"(?:,"reason":"([^"]*)")?/g)].map(
      ([, start, reason]) => reason ?? start,
    );
  const train = async (spec: JobChanges = {}) => {
    const job = await node.assignment({ script, ranks: 2, torch: true, spec });
    await node.desire([job]);
    const status = await node.reaches(job, "FINALIZED");
    expect(
      status.ranks.map(({ exit }) => exit?.code),
      status.ranks[0]?.exit?.tracebackTail,
    ).toEqual([0, 0]);
    expect(node.tracking.text(job.runId, 1, 1, "stdout")).toBe("[3.0, 3.0]\n");
    return status;
  };
  await launcherReady(1);
  expect((await train()).start).toBe("warm");
  await train({ env: { PYTHONHASHSEED: "3" } });
  const asked = await train({ start: scheduler.StartMode.COLD });
  expect([asked.start, asked.coldReason]).toEqual(["cold", "the job asks for a cold start"]);
  const record = await readLauncherRecord(join(node.agentDir, "launcher"));
  if (record === undefined) throw new Error("there is no launcher");
  signalProcess(record, "SIGKILL");
  await launcherReady(2);
  await train();
  expect(starts()).toEqual([
    "warm",
    expect.stringContaining("PYTHONHASHSEED"),
    "the job asks for a cold start",
    "warm",
  ]);
  await agent.kill("SIGTERM");
});
