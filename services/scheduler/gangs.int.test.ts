import { scheduler, workeragent } from "@trainyard/contracts";
import { waitFor } from "@trainyard/testing";
import { describe, expect, it } from "vitest";
import type { ScriptedAgent } from "./test-support/scripted-agent.ts";
import { type Api, nodeOf, waits } from "./test-support/told.ts";
import { createWorld } from "./test-support/world.ts";

const { FailureClass, JobState, PendingReason } = scheduler;
const { STOP } = workeragent.AssignmentAction;

describe("a gang that is held up", () => {
  it("is told of with rank and figures, once, also when the leader changes, and no more when it is over", async () => {
    const world = await createWorld();
    const app = await world.scheduler();
    const api = await world.api(app);
    const agent = await world.agent("n1", 2);
    const job = await world.submit(api);
    const ranks = await agent.assigned(job.id, 1);
    const timing = (computeSeconds: number, dataSeconds: number) => ({
      seconds: 1,
      computeSeconds,
      dataSeconds,
    });
    agent.running(ranks, 10, { timings: [timing(0.2, 0), timing(0.5, 0.4)] });
    const slow = (of: Api) =>
      waitFor("the slow rank", async () => {
        const attempt = (await of.getJob({ jobId: job.id })).job?.attempts[0];
        return attempt !== undefined && attempt.stragglers.length > 0 && attempt.dataStalls.length > 0
          ? attempt
          : undefined;
      });
    const found = await slow(api);
    expect(found.stragglers).toMatchObject([
      { rank: 1, nodeId: "n1", computeSeconds: 0.5, medianSeconds: 0.2 },
    ]);
    expect(found.dataStalls).toMatchObject([{ rank: 1, nodeId: "n1", waitSeconds: 0.4, stepSeconds: 1 }]);

    await app.stop();
    // The new leader looks before it has heard of the node, and knows no less for that.
    agent.silence();
    const next = await world.api(await world.scheduler());
    await agent.applied("the new leader's word", ({ leaderEpoch }) => leaderEpoch > 1n);
    agent.start();
    expect((await slow(next)).stragglers[0]?.since).toEqual(found.stragglers[0]?.since);
    agent.running(ranks, 20, { timings: [timing(0.2, 0), timing(0.2, 0)] });
    await waitFor("nothing to be slow", async () => {
      const attempt = (await next.getJob({ jobId: job.id })).job?.attempts[0];
      return attempt?.stragglers.length === 0 && attempt.dataStalls.length === 0;
    });
    expect((await world.events(job.id)).filter((type) => type === "attempt.slowed")).toHaveLength(1);
  });
});

describe("an elastic gang", () => {
  const elastic = { ranks: 4, minRanks: 2 };
  const report = (agent: ScriptedAgent, assignment: workeragent.Assignment, step: number, stored?: bigint) =>
    agent.running(
      assignment,
      step,
      stored === undefined ? {} : { checkpointSteps: assignment.ranks.map(() => stored) },
    );

  it("starts with what fits, goes on smaller when a node is lost, and grows back at a checkpoint", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    const [a, b] = [await world.agent("n1", 2), await world.agent("n2", 2)];
    const job = await world.submit(api, elastic);
    const [a1, b1] = [await a.assigned(job.id, 1), await b.assigned(job.id, 1)];
    expect([a1.worldSize, b1.worldSize]).toEqual([4, 4]);
    report(a, a1, 10);
    report(b, b1, 10);
    await world.reached(api, job.id, JobState.RUNNING);
    b.silence();
    await a.assigned(job.id, 1, STOP);
    a.finalized(a1, { 0: { code: 1, lastStep: 12 }, 1: { code: 1, lastStep: 12 } });
    const a2 = await a.assigned(job.id, 2);
    expect([a2.worldSize, a2.groupCount]).toEqual([2, 1]);
    report(a, a2, 14);
    await world.reached(api, job.id, JobState.RUNNING);
    // The node returns, and has reaped what it ran; the gang is asked for a checkpoint, and stopped only with it.
    b.restart({ lost: true });
    b.start();
    await b.applied("nothing of the old attempt", ({ assignments }) => assignments.length >= 0);
    const asked = await a.applied("a checkpoint to grow at", ({ assignments }) =>
      assignments.some(({ attempt, checkpointAtStep }) => attempt === 2 && checkpointAtStep > 14n),
    );
    const step = asked.assignments[0]?.checkpointAtStep ?? 0n;
    report(a, a2, Number(step), step);
    await a.assigned(job.id, 2, STOP);
    a.finalized(a2, { 0: { signal: 15 }, 1: { signal: 15 } });
    const a3 = await a.assigned(job.id, 3);
    const b3 = await b.assigned(job.id, 3);
    expect([a3.worldSize, b3.worldSize]).toEqual([4, 4]);
    report(a, a3, 30);
    report(b, b3, 30);
    a.finalized(a3);
    b.finalized(b3);
    const ended = await world.reached(api, job.id, JobState.SUCCEEDED);
    expect(ended.attempts.map(({ worldSize, failure }) => [worldSize, failure?.reason])).toEqual([
      [4, "NODE_LOST"],
      [2, "GANG_RESIZED"],
      [4, undefined],
    ]);
  });

  it("waits when not even its fewest ranks fit, and says so", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    await world.agent("n1", 1);
    await world.agent("n2", 1);
    const one = await world.submit(api, { ranks: 1 });
    await waitFor("the first", async () => (await api.getJob({ jobId: one.id })).job?.attempts.length === 1);
    const job = await world.submit(api, elastic);
    const pending = await waits(api, job.id, PendingReason.NOT_ENOUGH_SLOTS);
    expect(pending).toMatchObject({ slotsNeeded: 2, slotsFree: 1 });
    expect(pending.message).toContain("at least 2 slots");
  });
});

describe("a gang that runs", () => {
  it("and hangs is stopped with its stacks in the log, and the rank that holds it up is named", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    const agent = await world.agent("n1", 2);
    const waiting =
      'Thread 0x1 (most recent call first):\n  File "/v/torch/distributed/distributed_c10d.py", line 9 in all_reduce\n';
    const asleep = 'Thread 0x1 (most recent call first):\n  File "/w/train.py", line 27 in load\n';
    const requests = await agent.answerStacks([waiting, asleep]);
    const job = await world.submit(api, { hang: { afterSeconds: 2n } });
    const first = await agent.assigned(job.id, 1);
    // Evaluation takes what it takes.
    agent.running(first, 6, { phase: "evaluation" });
    await world.reached(api, job.id, JobState.RUNNING);
    const until = performance.now() + 3_000;
    await waitFor("an evaluation longer than the limit", () => performance.now() > until);
    expect(requests).toEqual([]);
    const shown = await api.captureStacks({ jobId: job.id });
    expect(shown).toMatchObject({
      attempt: 1,
      oddRank: 1,
      ranks: [{ rank: 0, lastStep: 6n, text: waiting }, { rank: 1 }],
    });
    agent.running(first, 7);
    await agent.assigned(job.id, 1, STOP);
    expect(requests.map(({ logAs }) => logAs !== "")).toEqual([false, true]);
    agent.finalized(first, { 0: { signal: 15, lastStep: 7 }, 1: { signal: 9, lastStep: 7 } });
    agent.finalized(await agent.assigned(job.id, 2));
    const ended = await world.reached(api, job.id, JobState.SUCCEEDED);
    expect(ended.attempts[0]?.failure).toMatchObject({
      class: FailureClass.INFRA,
      reason: "HUNG",
      rank: 1,
      step: 7n,
      tracebackTail: asleep,
    });
    expect(await world.events(job.id)).toContain("job.hung");
  });

  it("and waits in a collective in vain has the ranks of other nodes say where they are before they are ended", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    const agents = await Promise.all([world.agent("n1", 1), world.agent("n2", 1)]);
    const asleep = 'Thread 0x1 (most recent call first):\n  File "/w/train.py", line 27 in load\n';
    const asked = await Promise.all(agents.map((agent) => agent.answerStacks([asleep])));
    const job = await world.submit(api, {});
    const parts = await Promise.all(
      agents.map(async (agent, index) => ({
        agent,
        asked: asked[index],
        part: await agent.assigned(job.id, 1),
      })),
    );
    for (const { agent, part } of parts) agent.running(part, 6);
    await world.reached(api, job.id, JobState.RUNNING);
    const [waits, stays] = [0, 1].map((rank) => parts.find(({ part }) => part.ranks[0]?.rank === rank));
    if (waits === undefined || stays === undefined) throw new Error("a rank has no node");
    const tracebackTail =
      "Traceback (most recent call last):\nRuntimeError: [gloo/transport/tcp/unbound_buffer.cc:84] Timed out waiting 4000ms for recv operation to complete\n";
    const exit = { 0: { code: 1, order: 1, lastStep: 6, tracebackTail } };
    waits.agent.collectiveTimedOut = true;
    waits.agent.finalized(waits.part, exit, workeragent.AttemptPhase.STOPPING);
    await stays.agent.assigned(job.id, 1, STOP);
    expect(stays.asked?.map(({ logAs }) => logAs)).toEqual([
      expect.stringContaining("has waited in vain in a collective"),
    ]);
    expect(waits.asked).toEqual([]);
    stays.agent.finalized(stays.part, { 1: { signal: 15, lastStep: 6, tracebackTail: asleep } });
    waits.agent.finalized(waits.part, exit);
    await Promise.all(agents.map((agent) => agent.assigned(job.id, 2)));
    const { job: now } = await api.getJob({ jobId: job.id });
    expect(now?.attempts[0]?.failure).toMatchObject({
      class: FailureClass.INFRA,
      reason: "COLLECTIVE_TIMEOUT",
      rank: 1,
      tracebackTail: asleep,
    });
  });

  it("and logs NaN in a watched metric fails at once, and names metric, step and rank", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    const agent = await world.agent("n1", 2);
    const job = await world.submit(api, { haltOnNonFinite: ["loss"], retries: 5 });
    const assignment = await agent.assigned(job.id, 1);
    expect(assignment.spec?.haltOnNonFinite).toEqual(["loss"]);
    agent.running(assignment, 5);
    await world.reached(api, job.id, JobState.RUNNING);
    agent.nonFinite = { key: "loss", step: 5n, rank: 1, value: Number.NaN };
    agent.running(assignment, 5);
    await agent.assigned(job.id, 1, STOP);
    agent.finalized(assignment, { 0: { signal: 15 }, 1: { signal: 15 } });
    const failed = await world.reached(api, job.id, JobState.FAILED);
    expect(failed.failure).toMatchObject({
      class: FailureClass.USER,
      reason: "NON_FINITE_METRIC",
      metricKey: "loss",
      step: 5n,
      rank: 1,
    });
    expect(failed.attempts).toHaveLength(1);
  });

  it("and does nothing is told of once, is busy again when it works, and is released where its policy says so", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    const agent = await world.agent("n1", 2);
    const warned = await world.submit(api, { ranks: 1, idle: { afterSeconds: 1n } });
    const one = await agent.assigned(warned.id, 1);
    agent.running(one, 5, { cpuPercent: 0.5 });
    const idleSince = async (jobId: string) =>
      (await api.getJob({ jobId })).job?.attempts.at(-1)?.idleSince !== undefined;
    await waitFor("it to be idle", () => idleSince(warned.id));
    agent.running(one, 5, { cpuPercent: 80 });
    await waitFor("it to work", async () => !(await idleSince(warned.id)));
    expect((await world.events(warned.id)).filter((event) => event === "job.idle")).toHaveLength(1);

    const released = await world.submit(api, {
      ranks: 1,
      idle: { afterSeconds: 1n, action: scheduler.IdleAction.RELEASE },
    });
    // Allocated, and no process: its agent goes on preparing.
    const two = await agent.assigned(released.id, 1);
    await agent.assigned(released.id, 1, STOP);
    agent.finalized(two, { 0: { signal: 15 } });
    const failed = await world.reached(api, released.id, JobState.FAILED);
    expect(failed.failure).toMatchObject({ class: FailureClass.USER, reason: "IDLE" });
    expect(failed.attempts).toHaveLength(1);
    agent.finalized(one);
    await world.reached(api, warned.id, JobState.SUCCEEDED);
  });

  it("is not disturbed by what its last attempt still reports", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    const [a, b] = [await world.agent("n1", 1), await world.agent("n2", 1)];
    const job = await world.submit(api, { ranks: 1 });
    const held = await waitFor("the placement", async () => {
      return (await api.getJob({ jobId: job.id })).job?.attempts[0]?.placements[0]?.nodeId;
    });
    const [old, fresh] = held === a.nodeId ? [a, b] : [b, a];
    const one = await old.assigned(job.id, 1);
    old.running(one, 5);
    await world.reached(api, job.id, JobState.RUNNING);
    old.silence();
    const two = await fresh.assigned(job.id, 2);
    fresh.running(two, 6);
    await world.reached(api, job.id, JobState.RUNNING);
    // The lost node is heard again: it reports a failure, then NaN, then success of the attempt that was given up.
    old.start();
    const before = (await api.getJob({ jobId: job.id })).job;
    old.finalized(one, { 0: { code: 1, tracebackTail: "ValueError: late" } });
    old.nonFinite = { key: "loss", step: 5n, rank: 0, value: Number.NaN };
    old.running(one, 99);
    old.finalized(one);
    await waitFor(
      "the node to be back",
      async () => (await nodeOf(api, old.nodeId)).state === scheduler.NodeState.READY,
    );
    const after = (await api.getJob({ jobId: job.id })).job;
    expect(after?.version).toBe(before?.version);
    expect(after?.attempts[1]).toEqual(before?.attempts[1]);
    fresh.finalized(two);
    await world.reached(api, job.id, JobState.SUCCEEDED);
  });
});
