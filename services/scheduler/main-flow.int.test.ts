import { scheduler, tracking, workeragent } from "@trainyard/contracts";
import { waitFor } from "@trainyard/testing";
import { describe, expect, it } from "vitest";
import { createWorld } from "./test-support/world.ts";

const { JobState, AttemptState, PendingReason, FailureClass } = scheduler;
const { STOP } = workeragent.AssignmentAction;

describe("a job", () => {
  it("goes from submit over admission, placement and running ranks to success, each event once and in order", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    const agent = await world.agent("n1", 2);
    const job = await world.submit(api, { dataset: { name: "digits", version: "latest" } });
    expect(job).toMatchObject({ state: JobState.QUEUED, version: 1n, dataset: { version: "1.2.3" } });
    expect(job.runId).toMatch(/^run_/);

    const assignment = await agent.assigned(job.id, 1);
    expect(assignment).toMatchObject({ worldSize: 2, groupRank: 0, groupCount: 1, runId: job.runId });
    expect(assignment.ranks.map(({ rank, localRank, slots }) => [rank, localRank, slots])).toEqual([
      [0, 0, [0]],
      [1, 1, [1]],
    ]);
    expect(assignment.rankToken.split(".")).toHaveLength(3);
    expect(assignment.resume).toBeUndefined();
    expect(world.peers.opened).toEqual([{ runId: job.runId, attempt: 1 }]);

    agent.running(assignment, 3);
    const running = await world.reached(api, job.id, JobState.RUNNING);
    expect(running.attempts[0]).toMatchObject({ state: AttemptState.RUNNING });
    agent.finalized(assignment);
    const ended = await world.reached(api, job.id, JobState.SUCCEEDED);
    expect(ended.attempts[0]?.state).toBe(AttemptState.ENDED);
    await agent.applied("nothing to do", ({ assignments }) => assignments.length === 0);
    await waitFor("the events", async () => {
      expect(await world.events(job.id)).toEqual([
        "job.submitted",
        "attempt.admitted",
        "attempt.started",
        "attempt.ended",
        "job.ended",
      ]);
      return true;
    });
    expect((await api.getJob({ jobId: job.runId })).job?.id).toBe(job.id);
  });

  it("goes on in a second attempt, from the checkpoint that tracking names, when a rank is killed", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    const agent = await world.agent("n1", 2);
    const job = await world.submit(api);
    const first = await agent.assigned(job.id, 1);
    agent.running(first, 5);
    await world.reached(api, job.id, JobState.RUNNING);

    const file = { path: "state.pt", digest: "d".repeat(64), sizeBytes: 3n };
    world.peers.resume = {
      $typeName: "trainyard.tracking.v1.Checkpoint",
      id: "ckpt_1",
      runId: job.runId,
      attempt: 1,
      step: 5n,
      kind: tracking.CheckpointKind.PERIODIC,
      worldSize: 2,
      digest: "",
      sizeBytes: 3n,
      metrics: {},
      parts: [
        {
          $typeName: "trainyard.tracking.v1.CheckpointPart",
          rank: 1,
          recordsOffset: 0n,
          files: [{ $typeName: "trainyard.tracking.v1.StoredFile", ...file }],
        },
      ],
    };
    const exits = { 0: { signal: 9, order: 1, lastStep: 7 }, 1: { code: 1, order: 2, lastStep: 7 } };
    agent.finalized(first, exits, workeragent.AttemptPhase.FLUSHING);
    // The other ranks are stopped, and nothing new starts before the agent confirms all of them dead.
    await agent.assigned(job.id, 1, STOP);
    expect((await api.getJob({ jobId: job.id })).job?.attempts).toHaveLength(1);
    agent.finalized(first, exits);

    const second = await agent.assigned(job.id, 2);
    expect(second.resume).toMatchObject({ checkpointId: "ckpt_1", step: 5n, files: [{ rank: 1, ...file }] });
    agent.running(second);
    await world.reached(api, job.id, JobState.RUNNING);
    agent.finalized(second);
    const ended = await world.reached(api, job.id, JobState.SUCCEEDED);
    expect(ended.failure).toBeUndefined();
    expect(ended.attempts.map(({ failure }) => failure?.reason)).toEqual(["RANK_KILLED", undefined]);
    expect(ended.attempts[1]?.resumedFromCheckpointId).toBe("ckpt_1");
  });

  it("fails at once, with the traceback's end, when its code exits before the first step", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    const agent = await world.agent("n1", 2);
    const job = await world.submit(api, { retries: 5 });
    const assignment = await agent.assigned(job.id, 1);
    const broken = { code: 1, lastStep: -1, tracebackTail: "ImportError: no module named digits" };
    agent.finalized(assignment, {
      0: { ...broken, order: 2, tracebackTail: "" },
      1: { ...broken, order: 1 },
    });
    const failed = await world.reached(api, job.id, JobState.FAILED);
    expect(failed.failure).toMatchObject({
      class: FailureClass.USER,
      reason: "RANK_EXITED",
      rank: 1,
      exitCode: 1,
      step: -1n,
      tracebackTail: broken.tracebackTail,
    });
    expect(failed.attempts).toHaveLength(1);
  });

  it("is cancelled when its ranks are confirmed dead, and at once while it waits", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    const agent = await world.agent("n1", 2);
    const running = await world.submit(api);
    const waiting = await world.submit(api);
    const assignment = await agent.assigned(running.id, 1);
    agent.running(assignment, 1);
    await waitFor("the explanation", async () => {
      const { job } = await api.getJob({ jobId: waiting.id });
      return job?.pending?.reason === PendingReason.NOT_ENOUGH_SLOTS;
    });
    const cancel = (jobId: string, requestId: string) =>
      api.cancelJob({ jobId, requestId, reason: "enough" });
    expect((await cancel(waiting.id, "c1")).job?.state).toBe(JobState.CANCELLED);
    expect((await cancel(running.id, "c2")).job?.state).toBe(JobState.CANCELLING);
    expect((await cancel(running.id, "c2")).job?.state).toBe(JobState.CANCELLING);
    const stop = await agent.assigned(running.id, 1, STOP);
    expect((await api.getJob({ jobId: running.id })).job?.state).toBe(JobState.CANCELLING);
    agent.finalized(stop, { 0: { signal: 15 }, 1: { signal: 15 } });
    await world.reached(api, running.id, JobState.CANCELLED);
    await waitFor("the events", async () => {
      expect(await world.events(waiting.id)).toEqual(["job.submitted", "job.cancel_requested", "job.ended"]);
      expect(await world.events(running.id)).toEqual([
        "job.submitted",
        "attempt.admitted",
        "attempt.started",
        "job.cancel_requested",
        "attempt.ended",
        "job.ended",
      ]);
      return true;
    });
  });

  it("waits in OPENING while tracking is away, and goes on when it is back", async () => {
    const world = await createWorld();
    world.peers.trackingUp = false;
    const api = await world.api(await world.scheduler());
    const agent = await world.agent("n1", 2);
    const job = await world.submit(api);
    const starting = await world.reached(api, job.id, JobState.STARTING);
    expect(starting.pending?.reason).toBe(PendingReason.OPENING_ATTEMPT);
    world.peers.trackingUp = true;
    await agent.assigned(job.id, 1);
    expect((await api.getJob({ jobId: job.id })).job?.pending?.reason).toBe(PendingReason.STARTING_RANKS);
  });

  it("is watched from its first state to its last", async () => {
    const world = await createWorld();
    const api = await world.api(await world.scheduler());
    const agent = await world.agent("n1", 2);
    const job = await world.submit(api);
    const seen = (async () => {
      const states: scheduler.JobState[] = [];
      for await (const { job: now } of api.watchJob({ jobId: job.runId }, { timeoutMs: 0 })) {
        const state = now?.state ?? JobState.UNSPECIFIED;
        if (states.at(-1) !== state) states.push(state);
      }
      return states;
    })();
    const assignment = await agent.assigned(job.id, 1);
    agent.running(assignment);
    await world.reached(api, job.id, JobState.RUNNING);
    agent.finalized(assignment);
    expect((await seen).slice(-2)).toEqual([JobState.RUNNING, JobState.SUCCEEDED]);
  });
});
