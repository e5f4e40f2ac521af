import { timestampMs } from "@bufbuild/protobuf/wkt";
import { scheduler, workeragent } from "@trainyard/contracts";
import { freePort, spawnScript, waitFor } from "@trainyard/testing";
import { describe, expect, it } from "vitest";
import { createWorld, envOf, type World } from "./test-support/world.ts";

const { FailureClass, JobState, NodeState } = scheduler;
const { RUN, STOP } = workeragent.AssignmentAction;
type Api = Awaited<ReturnType<World["api"]>>;

const nodeState = (api: Api, id: string, state: scheduler.NodeState) =>
  waitFor(`node ${id} in state ${NodeState[state]}`, async () => {
    const { nodes } = await api.listNodes({});
    return nodes.find((node) => node.id === id)?.state === state;
  });

describe("a node", () => {
  it("that falls silent is lost, its gang starts elsewhere, and it gets nothing before it has reaped", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    const first = await world.agent("n1", 2);
    const job = await world.submit(api);
    const lost = await first.assigned(job.id, 1);
    first.running(lost, 4);
    await world.reached(api, job.id, JobState.RUNNING);
    first.silence();
    await nodeState(api, "n1", NodeState.LOST);

    const second = await world.agent("n2", 2);
    const again = await second.assigned(job.id, 2);
    second.running(again);
    const running = await world.reached(api, job.id, JobState.RUNNING);
    expect(running.attempts[0]?.failure).toMatchObject({ class: FailureClass.INFRA, reason: "NODE_LOST" });

    // The old node comes back with its ranks alive: it is told to stop them, and nothing new goes there until it has.
    const waiting = await world.submit(api);
    first.start();
    await nodeState(api, "n1", NodeState.READY);
    const stop = await first.assigned(job.id, 1, STOP);
    expect(stop.runId).toBe(job.runId);
    expect((await api.getJob({ jobId: waiting.id })).job?.state).toBe(JobState.QUEUED);
    first.finalized(lost, { 0: { signal: 9 }, 1: { signal: 9 } });
    await first.assigned(waiting.id, 1);
    expect((await world.events("n1")).filter((type) => type === "node.lost")).toHaveLength(1);
    expect((await api.getJob({ jobId: job.id })).job?.attempts).toHaveLength(2);
  });

  it("that has lost its attempt's folder while it obeys counts as a failure of the machine", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    const agent = await world.agent("n1", 2);
    const job = await world.submit(api);
    agent.running(await agent.assigned(job.id, 1), 2);
    await world.reached(api, job.id, JobState.RUNNING);
    agent.restart({ lost: true });
    await agent.assigned(job.id, 2);
    const { job: now } = await api.getJob({ jobId: job.id });
    expect(now?.attempts[0]?.failure).toMatchObject({ class: FailureClass.INFRA, reason: "RANKS_GONE" });
  });

  it("is not believed when its heartbeat is a duplicate, or of an agent that another has replaced", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    const agent = await world.agent("n1", 2);
    const old = agent.beat();
    const job = await world.submit(api);
    const assignment = await agent.assigned(job.id, 1);
    agent.running(assignment);
    await world.reached(api, job.id, JobState.RUNNING);
    // Says that nothing runs; so does the last heartbeat of the instance before a restart.
    agent.resend(old);
    const former = agent.beat();
    agent.restart();
    agent.running(assignment, 1);
    agent.resend(former);
    agent.resend(new TextEncoder().encode("not a heartbeat"));
    agent.finalized(assignment);
    const ended = await world.reached(api, job.id, JobState.SUCCEEDED);
    expect(ended.attempts).toHaveLength(1);
  });

  it("whose slots are of another kind than a gang asks for does not get it, however empty it is", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    await world.agent("n1", 4);
    const chips = await world.agent("n2", 1);
    chips.slotKind = "tpu";
    chips.beat();
    await waitFor("the node's kind", async () =>
      (await api.listNodes({})).nodes.some(({ slotKind }) => slotKind === "tpu"),
    );
    const [first, second] = [
      await world.submit(api, { ranks: 1, slotKind: "tpu" }),
      await world.submit(api, { ranks: 1, slotKind: "tpu" }),
    ];
    await chips.assigned(first.id, 1);
    const pending = await waitFor("the reason", async () => {
      const { job } = await api.getJob({ jobId: second.id });
      return job?.pending?.reason === scheduler.PendingReason.NOT_ENOUGH_SLOTS ? job.pending : undefined;
    });
    expect(pending.message).toBe("The gang needs 1 tpu slot; 0 of 1 are free.");
  });

  it("whose agent speaks too old a protocol gets no ranks", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    const agent = await world.agent("n1", 2);
    agent.protocolVersion = 0;
    agent.beat();
    await waitFor("the version", async () => (await api.listNodes({})).nodes[0]?.protocolVersion === 0);
    const job = await world.submit(api);
    await waitFor("an explanation", async () => {
      const { job: now } = await api.getJob({ jobId: job.id });
      return now?.pending?.slotsFree === 0 && now.pending.message.includes("0 of 2 are free");
    });
    agent.protocolVersion = 1;
    await agent.assigned(job.id, 1);
  });

  it("is not lost by an outage of the bus", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    const agent = await world.agent("n1", 2);
    const job = await world.submit(api);
    agent.running(await agent.assigned(job.id, 1), 1);
    await world.reached(api, job.id, JobState.RUNNING);
    await world.nats.server.kill("SIGKILL");
    const since = performance.now();
    await waitFor("longer than a node may be silent", () => performance.now() - since > 1_500);
    const restartedAtMs = Date.now();
    await world.nats.server.restart();
    await waitFor("a heartbeat after the outage", async () => {
      const [node] = (await api.listNodes({})).nodes;
      return node?.lastHeartbeatAt !== undefined && timestampMs(node.lastHeartbeatAt) > restartedAtMs;
    });
    expect((await api.getJob({ jobId: job.id })).job).toMatchObject({ state: JobState.RUNNING });
    expect(await world.events("n1")).toEqual(["node.joined"]);
  });
});

// Side by side: each waits for the dead leader's term to end.
describe.concurrent("a leader that is killed", () => {
  it.each([
    "scheduler.submit.committed",
    "scheduler.admit.committed",
    "scheduler.place.committed",
    "scheduler.started.committed",
    "scheduler.end.committed",
  ])("at %s is replaced, and the job still has one attempt and one end", async (crashAt) => {
    const world = await createWorld({ leaderTtlMs: 3_000 });
    const listenPort = await freePort();
    const doomed = await spawnScript("doomed scheduler", {
      script: "services/scheduler/main.ts",
      env: { ...envOf({ ...world.config, listenPort }), TRAINYARD_CRASH_AT: crashAt },
      readyUrl: `http://127.0.0.1:${listenPort}/readyz`,
    });
    const agent = await world.agent("n1", 2);
    const api = await world.api(await world.scheduler());
    const request = { requestId: "only-one", spec: world.spec() };
    const toDoomed = await world.api({ url: `http://127.0.0.1:${listenPort}` });
    await toDoomed.submitJob(request).catch(() => undefined);
    const { job } = await api.submitJob(request);
    const id = job?.id ?? "";

    const assignment = await agent.assigned(id, 1);
    agent.running(assignment, 1);
    await world.reached(api, id, JobState.RUNNING);
    agent.finalized(assignment);
    expect(await doomed.exited).toBe("SIGKILL");
    const ended = await world.reached(api, id, JobState.SUCCEEDED);
    expect(ended.attempts).toHaveLength(1);
    const state = await agent.applied(
      "the new leader's word",
      ({ leaderEpoch, assignments }) => leaderEpoch > 1n && assignments.length === 0,
    );
    expect(state.assignments.some(({ action }) => action === RUN)).toBe(false);
    await waitFor("the events", async () => {
      const events = await world.events(id);
      // The stream keeps order among a job's own events and among its attempts', not across the two.
      const of = (entity: string) => events.filter((type) => type.startsWith(entity));
      expect(of("job.")).toEqual(["job.submitted", "job.ended"]);
      expect(of("attempt.")).toEqual(["attempt.admitted", "attempt.started", "attempt.ended"]);
      return true;
    });
  });
});
