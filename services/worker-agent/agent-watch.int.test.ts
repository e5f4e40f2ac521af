import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { scheduler, workeragent } from "@trainyard/contracts";
import { type ServiceProcess, waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { type TestNode, testNode } from "./testing/test-node.ts";

const { AgentLifecycle } = scheduler;
let node: TestNode;
let agent: ServiceProcess;

beforeAll(async () => {
  node = await testNode();
  agent = await node.startAgent();
});

const partsOf = (job: workeragent.Assignment) =>
  node.tracking.parts.filter(({ runId }) => runId === job.runId).map(({ step }) => Number(step));

describe("a watched metric", () => {
  it("that becomes NaN ends the ranks; what was saved before is kept, and nothing of that step or later", async () => {
    const script = `
import time, trainyard
run = trainyard.init()
run.log({"loss": float("inf") if run.rank == 0 else 1.0, "grad": 1.0}, step=1)  # rank 0's comes later: no matter
for step in range(2, 5):
    run.log({"loss": 1.0, "other": float("nan")}, step=step)
run.checkpoint(4, state={"at": 4})
run.finish()
`;
    const halting = `
import os, time, trainyard
run = trainyard.init()
for step in range(1, 5):
    run.log({"loss": 1.0, "other": float("nan")}, step=step)
run.checkpoint(4, state={"at": 4})
run.finish()
if run.rank == 0:
    open("saved", "w").close()
while not os.path.exists("saved"):  # rank 1's next point ends rank 0, wherever that is
    time.sleep(0.02)
run.log({"loss": float("nan") if run.rank == 1 else 0.5}, step=5)
run.checkpoint(6, state={"at": 6})
run.finish()
while True:
    time.sleep(0.1)
`;
    const job = await node.assignment({ script: halting, ranks: 2, spec: { haltOnNonFinite: ["loss"] } });
    await node.desire([job]);
    const status = await node.reaches(job, "FINALIZED");
    expect(status.nonFinite).toMatchObject({ key: "loss", step: 5n, rank: 1, value: Number.NaN });
    expect(status.ranks.every(({ exit }) => exit !== undefined)).toBe(true);
    // Rank 0 may have reported its part of the later one; a checkpoint needs the parts of all.
    expect(partsOf(job).filter((step) => step === 4)).toHaveLength(2);
    expect(partsOf(job).filter((step) => step === 6).length).toBeLessThan(2);
    const early = await node.assignment({ script, spec: { haltOnNonFinite: ["loss"] } });
    await node.desire([early]);
    const ended = await node.reaches(early, "FINALIZED");
    expect(ended.nonFinite).toMatchObject({
      key: "loss",
      step: 1n,
      rank: 0,
      value: Number.POSITIVE_INFINITY,
    });
    expect(partsOf(early)).toEqual([]);
  });

  it("is told also by an agent that was started after the end, and never when nobody asked to watch it", async () => {
    const script = `
import trainyard
run = trainyard.init()
run.log({"loss": float("nan")}, step=3)
`;
    const watched = await node.assignment({ script, spec: { haltOnNonFinite: ["loss"] } });
    const unwatched = await node.assignment({ script });
    await node.desire([watched, unwatched]);
    await node.reaches(watched, "FINALIZED");
    expect((await node.reaches(unwatched, "FINALIZED")).nonFinite).toBeUndefined();
    await agent.kill("SIGKILL");
    agent = await node.startAgent();
    const before = node.heartbeats.length;
    const isOver = ({ jobId, phase }: workeragent.AttemptStatus) =>
      jobId === watched.jobId && phase === workeragent.AttemptPhase.FINALIZED;
    const told = await waitFor("the new agent's word", () =>
      node.heartbeats
        .slice(before)
        .flatMap(({ attempts }) => attempts)
        .find(isOver),
    );
    expect(told.nonFinite).toMatchObject({ key: "loss", step: 3n });
  });
});

describe("the stacks of running ranks", () => {
  const script = `
import threading, time, trainyard
run = trainyard.init()
run.log({"loss": 1.0}, step=1)
def waits_for_ever():
    while True:
        time.sleep(0.05)
waits_for_ever()
`;

  it("are told to the scheduler, and written to the log when it says so", async () => {
    const job = await node.assignment({ script, ranks: 2 });
    await node.desire([job]);
    await node.reaches(job, "RUNNING");
    await waitFor("the first step", () => node.status(job)?.ranks.every(({ lastStep }) => lastStep === 1n));
    const reply = await node.stacks(job, { logAs: "trainyard: where this rank is:" });
    expect(reply?.ranks.map(({ rank, problem }) => [rank, problem])).toEqual([
      [0, ""],
      [1, ""],
    ]);
    for (const { rank, text } of reply?.ranks ?? []) {
      expect(text).toContain("in waits_for_ever");
      await waitFor("the log", () => {
        const log = node.tracking.text(job.runId, 1, rank, "stderr");
        return log.startsWith("trainyard: where this rank is:\n") && log.includes("in waits_for_ever");
      });
    }
    // A rank that is stopped cannot answer, and is none the worse for having been asked.
    const pid = node.status(job)?.ranks[1]?.pid ?? 0;
    process.kill(pid, "SIGSTOP");
    const stopped = await node.stacks(job);
    process.kill(pid, "SIGCONT");
    expect(stopped?.ranks[0]?.text).toContain("waits_for_ever");
    expect(stopped?.ranks[1]).toMatchObject({ rank: 1, text: "" });
    expect(stopped?.ranks[1]?.problem).toContain("did not answer");
  });

  it("are nobody else's to ask for, nor to be asked again later, nor of another attempt", async () => {
    const job = node.heartbeats
      .at(-1)
      ?.attempts.find(({ phase }) => phase === workeragent.AttemptPhase.RUNNING);
    if (job === undefined) throw new Error("nothing runs");
    expect(await node.stacks(job, { signedFor: "n2" })).toBeUndefined();
    expect(await node.stacks(job, { ageMs: 120_000 })).toBeUndefined();
    expect((await node.stacks({ jobId: job.jobId, attempt: 2 }))?.ranks).toEqual([]);
    await node.desire([]);
    await waitFor("the end of it", () => node.status(job) === undefined);
  });

  it("are not asked of a program that would die of the question", async () => {
    const job = await node.assignment({
      script:
        "import signal, time\nsignal.signal(42, signal.SIG_DFL)\nprint('ready', flush=True)\ntime.sleep(600)",
    });
    await node.desire([job]);
    await waitFor("the script", () => node.tracking.text(job.runId, 1, 0, "stdout").includes("ready"));
    // What it has printed may be here before the agent has learnt its process.
    const told = await waitFor("what is told of the rank", async () => {
      const rank = (await node.stacks(job))?.ranks[0];
      return rank?.problem === "The rank does not run." ? undefined : rank;
    });
    expect(told).toMatchObject({ text: "", problem: expect.stringContaining("cannot be asked") });
    expect(node.status(job)?.ranks[0]?.exit).toBeUndefined();
    await node.desire([]);
    await waitFor("the end of it", () => node.status(job) === undefined);
  });
});

describe("an agent that is told to end", () => {
  const askedAt = 20;
  /** Goes no further than a few steps before it is told to. */
  const script = `
import os, time, trainyard
run = trainyard.init()
for step in range(1, 100_000):
    run.log({"loss": 1.0}, step=step)
    with run.phase("evaluation") if step == 5 else run.phase("waiting"):
        time.sleep(0.02)
        while step == ${askedAt - 5} and not os.path.exists("go on"):
            time.sleep(0.02)
    if run.should_checkpoint(step):
        run.checkpoint(step, state={"at": step})
`;

  it("and to drain asks for its gangs to be moved; they checkpoint when asked, and it ends when they have left", async () => {
    await agent.kill("SIGTERM");
    agent = await node.startAgent({ TRAINYARD_ON_STOP: "drain", TRAINYARD_DRAIN_WITHIN_MS: "60000" });
    const job = await node.assignment({ script, ranks: 2 });
    await node.desire([job]);
    await waitFor("some steps", () => node.status(job)?.ranks.every(({ lastStep }) => lastStep > 10n));
    expect(node.heartbeats.at(-1)?.lifecycle).toBe(AgentLifecycle.READY);
    expect(node.status(job)?.ranks[0]?.phase).not.toBe("evaluation");
    const ended = agent.kill("SIGTERM");
    await waitFor("the drain", () => node.heartbeats.at(-1)?.lifecycle === AgentLifecycle.DRAINING);
    expect(node.heartbeats.at(-1)?.drainWithinMs).toBeGreaterThan(30_000n);
    await node.desire([{ ...job, checkpointAtStep: BigInt(askedAt) }]);
    await waitFor("the ranks to be asked", () => existsSync(join(node.attemptDir(job), "checkpoint-at")));
    writeFileSync(join(node.attemptDir(job), "work", "go on"), "");
    await waitFor("the checkpoint that was asked for", () =>
      node.status(job)?.ranks.every(({ checkpointStep }) => checkpointStep === BigInt(askedAt)),
    );
    expect(partsOf(job)).toEqual([askedAt, askedAt]);
    await node.desire([{ ...job, action: workeragent.AssignmentAction.STOP }]);
    await ended;
    expect(node.heartbeats.map(({ lifecycle }) => lifecycle)).toContain(AgentLifecycle.DRAINED);
    expect(node.heartbeats.at(-1)?.lifecycle).toBe(AgentLifecycle.STOPPED);
    expect(node.status(job)?.phase).toBe(workeragent.AttemptPhase.FINALIZED);
  });

  it("and to drain stops by force what has not left in time", async () => {
    agent = await node.startAgent({ TRAINYARD_ON_STOP: "drain", TRAINYARD_DRAIN_WITHIN_MS: "500" });
    const job = await node.assignment({ script, more: { graceMs: 300 } });
    await node.desire([job]);
    const { ranks } = await node.reaches(job, "RUNNING");
    await agent.kill("SIGTERM");
    expect(() => process.kill(ranks[0]?.pid ?? 0, 0)).toThrow("ESRCH");
    expect(node.status(job)?.phase).toBe(workeragent.AttemptPhase.FINALIZED);
  });

  it("for an upgrade leaves its ranks to the next, which loses no line and no point", async () => {
    agent = await node.startAgent();
    const counting = `
import itertools, os, time, trainyard
run = trainyard.init()
for step in itertools.count(1):
    run.log({"loss": float(step)}, step=step)
    print("line", step, flush=True)
    time.sleep(0.01)
    if os.path.exists("enough"):
        break
`;
    const job = await node.assignment({ script: counting });
    await node.desire([job]);
    const { ranks } = await node.reaches(job, "RUNNING");
    const arrived = () => node.tracking.points(job.runId, 1, 0).length;
    await waitFor("some points", () => arrived() >= 20);
    await agent.kill("SIGTERM");
    const last = node.heartbeats.at(-1);
    expect(last?.lifecycle).toBe(AgentLifecycle.STOPPED);
    expect(last?.attempts.find(({ jobId }) => jobId === job.jobId)?.phase).toBe(
      workeragent.AttemptPhase.RUNNING,
    );
    const before = arrived();
    agent = await node.startAgent();
    await waitFor("points by the next agent", () => arrived() > before);
    writeFileSync(join(node.attemptDir(job), "work", "enough"), "");
    const status = await node.reaches(job, "FINALIZED");
    expect(status.ranks[0]).toMatchObject({ pid: ranks[0]?.pid, exit: { code: 0 } });
    const steps = Array.from({ length: Number(status.ranks[0]?.lastStep) }, (_, index) => index + 1);
    expect(node.tracking.points(job.runId, 1, 0).map(({ step }) => Number(step))).toEqual(steps);
    expect(node.tracking.text(job.runId, 1, 0, "stdout")).toBe(
      steps.map((step) => `line ${step}\n`).join(""),
    );
    await agent.kill("SIGTERM");
  });
});
