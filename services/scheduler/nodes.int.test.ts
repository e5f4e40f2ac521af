import { scheduler, workeragent } from "@trainyard/contracts";
import type { Principal } from "@trainyard/service";
import { waitFor } from "@trainyard/testing";
import { describe, expect, it } from "vitest";
import { type Api, nodeOf, waits } from "./test-support/told.ts";
import { createWorld } from "./test-support/world.ts";

const { FailureClass, JobState, NodeDuty, PendingReason, YieldCause } = scheduler;
const { STOP } = workeragent.AssignmentAction;
const ann: Principal = { name: "ann", kind: "user", roles: ["admin"], project: "default" };

const inDuty = (api: Api, nodeId: string, duty: scheduler.NodeDuty) =>
  waitFor(`${nodeId} ${NodeDuty[duty]}`, async () => {
    const node = await nodeOf(api, nodeId);
    return node.duty === duty ? node : undefined;
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
    // Until the next look at the waiting jobs it may still say "is being drained".
    await waitFor("what the job waits for", async () => {
      const { message } = await waits(api, job.id, PendingReason.NODES_WITHHELD);
      return message.includes("node n1 (2 slots) is drained by user:ann (new disk)");
    });
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
