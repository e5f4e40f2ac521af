import { scheduler, workeragent } from "@trainyard/contracts";
import type { Principal } from "@trainyard/service";
import { waitFor } from "@trainyard/testing";
import { describe, expect, it } from "vitest";
import type { ScriptedAgent } from "./test-support/scripted-agent.ts";
import { createWorld, type World } from "./test-support/world.ts";

const { FailureClass, JobState, NodeDuty, PendingReason, YieldCause } = scheduler;
const { STOP } = workeragent.AssignmentAction;
const ann: Principal = { name: "ann", kind: "user", roles: ["admin"], project: "default" };
type Api = Awaited<ReturnType<World["api"]>>;

const nodeOf = async (api: Api, nodeId: string) => {
  const { nodes } = await api.listNodes({});
  const node = nodes.find(({ id }) => id === nodeId);
  if (node === undefined) throw new Error(`no node ${nodeId}`);
  return node;
};
const inDuty = (api: Api, nodeId: string, duty: scheduler.NodeDuty) =>
  waitFor(`${nodeId} ${NodeDuty[duty]}`, async () => {
    const node = await nodeOf(api, nodeId);
    return node.duty === duty ? node : undefined;
  });
const waits = (api: Api, jobId: string, reason: scheduler.PendingReason) =>
  waitFor(`job to wait for ${PendingReason[reason]}`, async () => {
    const { job } = await api.getJob({ jobId });
    return job?.pending?.reason === reason ? job.pending : undefined;
  });

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

describe("nodes that do not reach each other", () => {
  it("get no gang together while there is another place, also when the leader changes", async () => {
    const world = await createWorld();
    const app = await world.scheduler();
    const agents = await Promise.all(["n1", "n2", "n3"].map((id) => world.agent(id, 1)));
    const job = await world.submit(await world.api(app));
    /** Waits for the attempt on these nodes, and has its ranks lose their peers. */
    const fail = async (attempt: number, ...on: readonly number[]) => {
      const parts = await Promise.all(
        on.map(async (index) => ({
          agent: agents[index],
          part: await agents[index]?.assigned(job.id, attempt),
        })),
      );
      const exit = { code: 1, tracebackTail: "RuntimeError: Connection closed by peer [10.0.0.1]:29500" };
      for (const { agent, part } of parts)
        if (part !== undefined) agent?.finalized(part, { [part.ranks[0]?.rank ?? 0]: exit });
    };
    await fail(1, 0, 1);
    await fail(2, 0, 2);
    await app.stop();
    const next = await world.api(await world.scheduler());
    await fail(3, 1, 2);
    const failed = await waitFor("the third failure", async () => {
      const found = (await next.getJob({ jobId: job.id })).job;
      return found?.attempts[2]?.failure === undefined ? undefined : found;
    });
    const reasons = failed.attempts.slice(0, 3).map(({ failure }) => failure?.reason);
    expect(reasons).toEqual(Array(3).fill("PEERS_UNREACHABLE"));
    // No pair is left: it goes on all the same.
    await agents[0]?.assigned(job.id, 4);
  });
});

describe("a node", () => {
  it("that is drained has its gang checkpoint and go on elsewhere, and takes no work until it is uncordoned", async () => {
    const world = await createWorld();
    const app = await world.scheduler();
    const [api, admin] = [await world.api(app), await world.api(app, ann)];
    const agent = await world.agent("n1", 2);
    const job = await world.submit(api);
    const first = await agent.assigned(job.id, 1);
    agent.running(first, 10);
    await world.reached(api, job.id, JobState.RUNNING);
    await expect(api.drainNode({ requestId: "r", nodeId: "n1" })).rejects.toThrow(/ROLE_MISSING|admin/);
    await expect(admin.drainNode({ requestId: "r0", nodeId: "nope" })).rejects.toThrow("has ever joined");
    const order = { requestId: "r1", nodeId: "n1", reason: "new disk", deadlineSeconds: 600n };
    await admin.drainNode(order);
    await admin.drainNode(order); // The same call again gives the same answer, and no second order.
    expect(await inDuty(api, "n1", NodeDuty.DRAINING)).toMatchObject({
      dutyBy: "user:ann",
      dutyReason: "new disk",
    });

    const asked = await agent.applied(
      "a checkpoint is asked for",
      ({ assignments, draining }) =>
        draining && assignments.some(({ checkpointAtStep }) => checkpointAtStep > 10n),
    );
    const step = asked.assignments[0]?.checkpointAtStep ?? 0n;
    const yielding = (await api.getJob({ jobId: job.id })).job?.attempts[0]?.yielding;
    expect(yielding).toMatchObject({ cause: YieldCause.DRAIN, checkpointStep: step });
    // Not stopped before every rank's part is stored.
    agent.running(first, Number(step), { checkpointSteps: [step] });
    expect((await agent.desired())?.assignments[0]?.action).not.toBe(STOP);
    agent.running(first, Number(step), { checkpointSteps: [step, step] });
    await agent.assigned(job.id, 1, STOP);
    agent.finalized(first, {
      0: { signal: 15, lastStep: Number(step) },
      1: { code: 1, lastStep: Number(step) },
    });
    await inDuty(api, "n1", NodeDuty.DRAINED);
    const pending = await waits(api, job.id, PendingReason.NODES_WITHHELD);
    expect(pending.message).toContain("node n1 (2 slots) is drained by user:ann (new disk)");
    expect((await nodeOf(api, "n1")).unusable).toContain("drained by user:ann");

    const other = await world.agent("n2", 2);
    const second = await other.assigned(job.id, 2);
    other.running(second, 20);
    other.finalized(second);
    const ended = await world.reached(api, job.id, JobState.SUCCEEDED);
    expect(ended.attempts[0]?.failure).toMatchObject({
      class: FailureClass.PREEMPTED,
      reason: "NODE_DRAINED",
    });
    await admin.uncordonNode({ requestId: "r2", nodeId: "n1" });
    await inDuty(api, "n1", NodeDuty.OPEN);
    const events = await world.events("n1");
    expect(events).toEqual(["node.joined", "node.draining", "node.drained", "node.uncordoned"]);
    expect(await world.events(job.id)).toContain("attempt.yielding");
  });

  it("that is cordoned keeps what runs, over a change of the leader too", async () => {
    const world = await createWorld();
    const app = await world.scheduler();
    const [api, admin] = [await world.api(app), await world.api(app, ann)];
    const agent = await world.agent("n1", 2);
    const job = await world.submit(api, { ranks: 1 });
    const assignment = await agent.assigned(job.id, 1);
    agent.running(assignment, 10);
    await world.reached(api, job.id, JobState.RUNNING);
    await admin.cordonNode({ requestId: "c", nodeId: "n1", reason: "" });
    await inDuty(api, "n1", NodeDuty.CORDONED);
    await app.stop();
    const api2 = await world.api(await world.scheduler());
    const waiting = await world.submit(api2, { ranks: 1 });
    await waits(api2, waiting.id, PendingReason.NODES_WITHHELD);
    expect((await agent.desired())?.assignments.map(({ action }) => action)).toEqual([
      workeragent.AssignmentAction.RUN,
    ]);
  });

  it("that fails jobs three times in a row cools down, says so, and comes back by an uncordon", async () => {
    const world = await createWorld();
    const app = await world.scheduler();
    const [api, admin] = [await world.api(app), await world.api(app, ann)];
    const agent = await world.agent("n1", 2);
    const job = await world.submit(api);
    for (const attempt of [1, 2, 3]) {
      const assignment = await agent.assigned(job.id, attempt);
      agent.running(assignment, attempt * 10);
      agent.finalized(assignment, { 0: { signal: 9, order: 1, lastStep: attempt * 10 }, 1: { code: 1 } });
    }
    const pending = await waits(api, job.id, PendingReason.NODES_WITHHELD);
    expect(pending.message).toMatch(
      /node n1 \(2 slots\) cools down until .* after 3 failures in a row, the last RANK_KILLED/,
    );
    expect((await nodeOf(api, "n1")).cooldown).toMatchObject({
      failures: 3,
      reason: "RANK_KILLED",
      jobId: job.id,
    });
    await admin.uncordonNode({ requestId: "u", nodeId: "n1" });
    agent.finalized(await agent.assigned(job.id, 4));
    await world.reached(api, job.id, JobState.SUCCEEDED);
    expect((await nodeOf(api, "n1")).cooldown).toBeUndefined();
    expect(await world.events("n1")).toContain("node.cooling_down");
  });

  it("whose agent said that it ends and left its ranks is waited for longer than one that fell silent", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    const agent = await world.agent("n1", 2);
    const job = await world.submit(api);
    const assignment = await agent.assigned(job.id, 1);
    agent.running(assignment, 3);
    await world.reached(api, job.id, JobState.RUNNING);
    agent.lifecycle = scheduler.AgentLifecycle.STOPPED;
    agent.beat();
    agent.silence();
    await waitFor("the node to be suspect", async () => {
      return (await nodeOf(api, "n1")).state === scheduler.NodeState.SUSPECT;
    });
    // Much longer than nodeLostAfterMs, and shorter than nodeRestartWithinMs.
    const until = performance.now() + 2_000;
    await waitFor("time to pass", () => performance.now() > until);
    expect((await nodeOf(api, "n1")).state).toBe(scheduler.NodeState.SUSPECT);
    agent.lifecycle = scheduler.AgentLifecycle.READY;
    agent.restart();
    agent.start();
    agent.finalized(assignment);
    const ended = await world.reached(api, job.id, JobState.SUCCEEDED);
    expect(ended.attempts).toHaveLength(1);
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
