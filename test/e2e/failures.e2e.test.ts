import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { scheduler } from "@trainyard/contracts";
import { spawnAgent, waitFor } from "@trainyard/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Finished, trainyard } from "./finished.ts";
import { startUnderTest, type UnderTest } from "./under-test.ts";

const { JobState } = scheduler;
const second = "node_two";
const warm = { TRAINYARD_LAUNCHER: "warm" };
const LONG_MS = 240_000;

let under: UnderTest;

beforeAll(async () => {
  under = await startUnderTest(() => ({
    env: { scheduler: { TRAINYARD_GROW_AFTER_MS: "1000" }, agent: warm },
  }));
  await under.fleet.platform.addAgent(second, { slots: 1 });
});

afterAll(async () => {
  await under.stop();
});

const cli = (...args: readonly string[]): Promise<Finished> =>
  trainyard({ url: under.url, token: under.fleet.tokens.submitter, cwd: under.dir }, ...args);
const admin = (...args: readonly string[]): Promise<Finished> =>
  trainyard({ url: under.url, token: under.fleet.tokens.admin, cwd: under.dir }, ...args);

/** Submits a script as a user does: a folder with the script and its job file. */
async function submit(name: string, script: string, fields: string): Promise<string> {
  const folder = join(under.dir, name);
  mkdirSync(folder);
  writeFileSync(join(folder, "train.py"), script);
  writeFileSync(join(folder, "job.yaml"), `name: ${name}\nentrypoint: [train.py]\n${fields}\n`);
  const { code, stdout, stderr } = await cli("submit", join(folder, "job.yaml"), "--json");
  expect(code, stderr).toBe(0);
  const { job } = JSON.parse(stdout) as { readonly job: { readonly id: string } };
  return job.id;
}

async function jobOf(jobId: string): Promise<scheduler.Job> {
  const { job } = await under.user.scheduler.getJob({ jobId });
  if (job === undefined) throw new Error("no job");
  return job;
}

const reaches = (what: string, jobId: string, accept: (job: scheduler.Job) => boolean) =>
  waitFor(
    what,
    async () => {
      const job = await jobOf(jobId);
      if (accept(job)) return job;
      const { nodes } = await under.user.scheduler.listNodes({});
      const fleet = nodes.map(({ id, slotsUsed, unusable }) => `${id} uses ${slotsUsed} slots ${unusable}`);
      const yielding = job.attempts.at(-1)?.yielding;
      throw new Error(
        `it is ${JobState[job.state]}, attempt ${job.attempts.length}, gives way at ${yielding?.checkpointStep}: ${job.failure?.message}; ${fleet.join("; ")}`,
      );
    },
    { timeoutMs: LONG_MS },
  );

describe("a gang of real ranks", () => {
  it("that hangs in a collective shows where each rank is, is restarted, and ends well", async () => {
    const script = `
import time
import torch, torch.distributed as dist
import trainyard

run = trainyard.init()
dist.init_process_group("gloo")
step = run.resume()

def never_comes():
    time.sleep(3600)

while step < 60:
    step += 1
    if run.attempt == 1 and step == 31 and run.rank == 1:
        never_comes()
    dist.all_reduce(torch.ones(1))
    run.log({"loss": 1.0 / step}, step=step)
    if run.should_checkpoint(step):
        run.checkpoint(step)
    time.sleep(0.02)
run.finish()
`;
    const id = await submit(
      "hangs",
      script,
      "ranks: 2\ncheckpoint: {everySteps: 10}\nhang: {afterSeconds: 8}",
    );
    const ended = await reaches(
      "the end",
      id,
      ({ state }) => state === JobState.SUCCEEDED || state === JobState.FAILED,
    );
    expect(ended.attempts.map(({ failure }) => failure?.reason)).toEqual(["HUNG", undefined]);
    const failure = ended.attempts[0]?.failure;
    expect(failure).toMatchObject({ class: scheduler.FailureClass.INFRA, rank: 1, step: 30n });
    expect(failure?.tracebackTail).toContain("in never_comes");
    expect(Number(ended.attempts[1]?.resumedFromStep)).toBe(30);
    const { stdout: log } = await cli("logs", id, "--attempt", "1");
    expect(log).toContain("no step for");
    expect(log).toContain("in never_comes");
    expect(log).toContain("in all_reduce");
    const late = await cli("stacks", id);
    expect([late.code === 0, late.stderr]).toEqual([
      false,
      expect.stringContaining("only ranks that run have stacks"),
    ]);
  });

  it("whose loss becomes NaN is halted: the job says where, and its newest checkpoint is from before", async () => {
    const script = `
import time
import trainyard

run = trainyard.init()
for step in range(1, 100_000):
    run.log({"loss": float("nan") if step >= 23 and run.rank == 0 else 1.0 / step}, step=step)
    if run.should_checkpoint(step):
        run.checkpoint(step)
        run.finish()
    time.sleep(0.01)
`;
    const fields =
      "framework: process\nranks: 2\nretries: 5\ncheckpoint: {everySteps: 10}\nhaltOnNonFinite: [loss]";
    const id = await submit("nan", script, fields);
    const ended = await reaches("the end", id, ({ state }) => state === JobState.FAILED);
    expect(ended.attempts).toHaveLength(1);
    expect(ended.failure).toMatchObject({
      reason: "NON_FINITE_METRIC",
      metricKey: "loss",
      step: 23n,
      rank: 0,
    });
    const { checkpoints } = await under.user.tracking.listCheckpoints({ runId: ended.runId });
    expect(checkpoints.map(({ step }) => Number(step)).sort((a, b) => a - b)).toEqual([10, 20]);
    const { stdout } = await cli("status", id);
    expect(stdout).toContain("Metric loss of rank 0 was NaN at step 23");
  });

  it("that is elastic goes on smaller without a node, grows back with it, and leaves a node that is drained", async () => {
    const script = `
import json, os, time
import trainyard

run = trainyard.init()
resume = os.environ.get("TRAINYARD_RESUME_DIR")
step = json.load(open(os.path.join(resume, "rank-0", "rank.json")))["step"] if resume else 0
run.state(model=None, optimizer=None)
while not os.path.exists(run.params["until"]):
    step += 1
    run.log({"loss": 1.0 / step, "world": float(run.world_size)}, step=step)
    if run.should_checkpoint(step):
        run.checkpoint(step)
    time.sleep(0.02)
run.finish()
`;
    const until = join(under.dir, "end-of-elastic");
    const other = await spawnAgent(under.fleet.platform, second, warm);
    await waitFor("the second node", async () => {
      const { nodes } = await under.user.scheduler.listNodes({});
      return nodes.filter(({ state }) => state === scheduler.NodeState.READY).length === 2;
    });
    const fields = `framework: process\nranks: {min: 1, max: 3}\ncheckpoint: {everySteps: 20}\nparams: {until: ${until}}`;
    const id = await submit("elastic", script, fields);
    const sized = (worldSize: number, attempts: number) => (job: scheduler.Job) =>
      job.state === JobState.RUNNING &&
      job.attempts.length === attempts &&
      job.attempts.at(-1)?.worldSize === worldSize;
    await reaches("three ranks", id, sized(3, 1));
    const shown = JSON.parse((await cli("stacks", id, "--json")).stdout) as {
      readonly ranks: readonly { readonly text: string }[];
    };
    expect(shown.ranks.map(({ text }) => text.includes("train.py"))).toEqual([true, true, true]);

    await other.kill("SIGKILL");
    const { TRAINYARD_AGENT_DIR = "" } = under.fleet.platform.serviceEnv("worker-agent", {
      nodeId: second,
    });
    const [attempt = ""] = readdirSync(join(TRAINYARD_AGENT_DIR, "attempts"));
    const shim = JSON.parse(
      readFileSync(join(TRAINYARD_AGENT_DIR, "attempts", attempt, "shim.json"), "utf8"),
    ) as { readonly pid: number };
    process.kill(shim.pid, "SIGKILL");
    await reaches("two ranks", id, sized(2, 2));

    const again = await spawnAgent(under.fleet.platform, second, warm);
    const grown = await reaches("three ranks again", id, sized(3, 3));
    expect(grown.attempts.map(({ failure }) => failure?.reason)).toEqual([
      "NODE_LOST",
      "GANG_RESIZED",
      undefined,
    ]);
    // It grew at a checkpoint: nothing was done twice.
    const { checkpoints } = await under.user.tracking.listCheckpoints({ runId: grown.runId });
    expect(checkpoints.map(({ step }) => step)).toContain(grown.attempts[2]?.resumedFromStep);

    const drained = await admin("nodes", "drain", second, "--reason", "new disk", "--json");
    expect(drained.code, drained.stderr).toBe(0);
    expect(JSON.parse(drained.stdout)).toMatchObject({ duty: "NODE_DUTY_DRAINED", dutyReason: "new disk" });
    const moved = await reaches("two ranks on the first node", id, sized(2, 4));
    expect(moved.attempts[2]?.failure).toMatchObject({
      reason: "NODE_DRAINED",
      class: scheduler.FailureClass.PREEMPTED,
    });
    const { stdout: table } = await cli("nodes");
    expect(table).toContain("new disk");
    writeFileSync(until, "");
    await reaches("the end", id, ({ state }) => state === JobState.SUCCEEDED);
    await again.kill("SIGTERM");
  });
});
