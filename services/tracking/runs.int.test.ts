import { create } from "@bufbuild/protobuf";
import { scheduler, tracking } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { fromConnectError } from "@trainyard/service";
import { waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import {
  aJob,
  aMetricBatch,
  clientOf,
  ended,
  project,
  publishEvent,
  publishMetrics,
  startTracking,
  type TestTracking,
  type TrackingClient,
} from "./test-service.ts";

let service: TestTracking;
let user: TrackingClient;
let agent: TrackingClient;
let leader: TrackingClient;

beforeAll(async () => {
  service = await startTracking();
  [user, agent, leader] = await Promise.all([
    service.as("user"),
    service.as("agent"),
    service.as("scheduler"),
  ]);
});

const submit = (job: scheduler.Job) => publishEvent(service.bus, scheduler.JobSubmittedSchema, job, { job });
const end = (job: scheduler.Job, id?: string) =>
  publishEvent(service.bus, scheduler.JobEndedSchema, job, { job }, id);
const open = (job: scheduler.Job, attempt: number) =>
  leader.openAttempt({ runId: job.runId, jobId: job.id, attempt, project });
const runOf = async (job: scheduler.Job) =>
  (await user.getRun({ runId: job.runId })).run ?? create(tracking.RunSchema);
const inbox = () => service.store.collection<{ _id: string }>("inbox");
/** Waits until the event was taken into effect. */
const taken = (id: string) =>
  waitFor(
    `event ${id} to be taken`,
    async () => (await inbox().findOne({ _id: `tracking-jobs/${id}` })) !== null,
  );
const emitted = (runId: string) =>
  service.store.db.collection("outbox").find({ subject: runId }).sort({ aggregateVersion: 1 }).toArray();

async function reason(call: Promise<unknown>): Promise<string> {
  const error = fromConnectError(
    await call.then(
      () => new Error("it succeeded"),
      (caught: unknown) => caught,
    ),
  );
  return error.reason;
}

describe("a run", () => {
  it("is created from its job's submission with everything that was submitted, and found by its job's id", async () => {
    const job = aJob();
    await submit(job);
    const { run } = await user.getRun({ runId: job.id });
    expect(run).toMatchObject({
      id: job.runId,
      status: tracking.RunStatus.QUEUED,
      experiment: "mnist",
      name: "digits",
      params: { lr: 0.1, "a.b": "$x" },
      createdBy: "user:ada",
      version: 1n,
    });
    expect(run?.spec?.ranks).toBe(2);
  });

  const reads: [string, (runId: string) => Promise<unknown>][] = [
    ["GetRun", (runId) => user.getRun({ runId })],
    ["GetMetricHistory", (runId) => user.getMetricHistory({ runId })],
    ["ListCheckpoints", (runId) => user.listCheckpoints({ runId })],
    ["ListArtifacts", (runId) => user.listArtifacts({ runId })],
  ];

  it.each(reads)("is awaited by a %s that comes before its submission", async (_method, read) => {
    const job = aJob();
    const answer = read(job.runId);
    await submit(job);
    expect(await answer).toBeDefined();
  });

  it.each(reads)("that does not exist is not found by %s, after a while", async (_method, read) => {
    expect(await reason(read(newId("run")))).toBe("RUN_NOT_FOUND");
  });

  it("of another project is not found", async () => {
    const job = create(scheduler.JobSchema, { ...aJob(), project: "secret" });
    await submit(job);
    await waitFor(
      "the run",
      async () =>
        (await service.store.db.collection<{ _id: string }>("runs").findOne({ _id: job.runId })) !== null,
    );
    expect(await reason(user.getMetricHistory({ runId: job.runId }))).toBe("RUN_NOT_FOUND");
  });

  it("opened by its first attempt is completed by the submission that comes later", async () => {
    const job = aJob();
    await open(job, 1);
    expect((await runOf(job)).name).toBe("");
    await submit(job);
    const run = await waitFor("its name", async () => {
      const now = await runOf(job);
      return now.name !== "" && now;
    });
    expect(run.attempts.map(({ number }) => number)).toEqual([1]);
    expect((await emitted(job.runId)).map(({ type }) => type)).toEqual(["trainyard.tracking.run.created.v1"]);
  });

  it("follows its attempts' starts and ends, in whatever order they are told", async () => {
    const job = aJob();
    await submit(job);
    const tell = (
      schema: typeof scheduler.AttemptStartedSchema | typeof scheduler.AttemptEndedSchema,
      number: number,
    ) => publishEvent(service.bus, schema, job, { jobId: job.id, runId: job.runId, attempt: { number } });
    const status = async (expected: tracking.RunStatus) =>
      waitFor(`status ${expected}`, async () => (await runOf(job)).status === expected);
    await tell(scheduler.AttemptStartedSchema, 2);
    await status(tracking.RunStatus.RUNNING);
    await tell(scheduler.AttemptEndedSchema, 2);
    await status(tracking.RunStatus.QUEUED);
    await tell(scheduler.AttemptEndedSchema, 1);
    await tell(scheduler.AttemptStartedSchema, 1);
    await waitFor("all four", async () => (await runOf(job)).version === 5n);
    expect((await runOf(job)).status).toBe(tracking.RunStatus.QUEUED);
  });

  it("takes what its ranks say in words, once, and from the newest attempt only", async () => {
    const job = aJob();
    await submit(job);
    await open(job, 1);
    await waitFor("its submission", async () => (await runOf(job)).params?.lr !== undefined);
    const { runId } = job;
    const said = { requestId: newId("req"), runId, attempt: 1, rank: 1 };
    const note = { note: "got worse", noteStep: -40n, noteKey: "loss" };
    for (let times = 0; times < 2; times++)
      await agent.logRunFacts({ ...said, params: { depth: "3" }, tags: { stage: "final" }, ...note });
    expect(await reason(agent.logRunFacts({ ...said, requestId: newId("req"), params: { lr: "7" } }))).toBe(
      "PARAM_DIFFERS",
    );
    const keyOnly = { ...said, requestId: newId("req"), note: "x", noteKey: "loss" };
    expect(await reason(agent.logRunFacts(keyOnly))).toBe("INVALID_FIELD");
    await open(job, 2);
    expect(await reason(agent.logRunFacts({ ...said, requestId: newId("req"), note: "late" }))).toBe(
      "ATTEMPT_FENCED",
    );
    expect(await runOf(job)).toMatchObject({ params: { depth: "3", lr: 0.1 }, tags: { stage: "final" } });
    const { notes } = await (await clientOf(tracking.RunService, service.app.server.url, "user")).listNotes({
      runId,
    });
    expect(notes.map(({ text, createdBy, step, key }) => [text, createdBy, step, key])).toEqual([
      ["got worse", `rank:${runId}.1.1`, -40n, "loss"],
    ]);
  });
});

describe("the end of a run", () => {
  it("comes exactly once, with metrics over the visible history, although the event comes twice", async () => {
    const job = aJob();
    await submit(job);
    // Here, so that the submission and not the attempt creates it.
    await runOf(job);
    await open(job, 1);
    await publishMetrics(
      service.bus,
      aMetricBatch({ runId: job.runId, attempt: 1 }, [1, 10], (step) => (step === 4 ? Number.NaN : -step)),
    );
    await waitFor(
      "the points",
      async () =>
        (await agent.getTelemetryOffsets({ runId: job.runId, attempt: 1 })).ranks[0]?.records === 100n,
    );
    const id = await end(ended(job));
    await end(ended(job), id);
    const run = await waitFor("its end", async () => {
      const now = await runOf(job);
      return now.status === tracking.RunStatus.COMPLETED && now;
    });
    expect(run.metrics.loss).toMatchObject({
      last: -10,
      lastStep: 10n,
      min: -10,
      max: -1,
      count: 10n,
      nanCount: 1n,
    });
    await taken(await end(ended(job)));
    const events = await emitted(job.runId);
    expect(events.map(({ type }) => type)).toEqual([
      "trainyard.tracking.run.created.v1",
      "trainyard.tracking.run.ended.v1",
    ]);
    expect(events.map(({ aggregateVersion }) => aggregateVersion)).toEqual([1, 3]);
  });

  it("that is told before the submission creates the run, ended, with both events", async () => {
    const job = aJob();
    const failed = create(scheduler.JobSchema, {
      ...ended(job, scheduler.JobState.FAILED),
      failure: create(scheduler.FailureSchema, { reason: "RANK_EXITED", exitCode: 1 }),
    });
    await end(failed);
    const run = await waitFor("the run", async () => {
      const now = await runOf(job);
      return now.status === tracking.RunStatus.FAILED && now;
    });
    expect(run.failure).toMatchObject({ reason: "RANK_EXITED", exitCode: 1 });
    await taken(await submit(job));
    expect((await emitted(job.runId)).map(({ type }) => type)).toEqual([
      "trainyard.tracking.run.created.v1",
      "trainyard.tracking.run.ended.v1",
    ]);
    expect((await runOf(job)).status).toBe(tracking.RunStatus.FAILED);
  });

  it("refuses attempts and artifacts that come after it", async () => {
    const job = aJob();
    await open(job, 1);
    await end(ended(job, scheduler.JobState.CANCELLED));
    await waitFor("its end", async () => (await runOf(job)).status === tracking.RunStatus.KILLED);
    expect(await reason(open(job, 2))).toBe("ATTEMPT_FENCED");
    const { digest } = await service.blobs.put(new TextEncoder().encode("late"));
    const file = { path: "late.txt", digest, sizeBytes: 4n };
    expect(await reason(agent.logArtifact({ requestId: "late", runId: job.runId, attempt: 1, file }))).toBe(
      "ATTEMPT_FENCED",
    );
  });
});

describe("lists", () => {
  it("page through runs newest first, and refuse a token of another query", async () => {
    const jobs = [aJob({ name: "paged" }), aJob({ name: "paged" }), aJob({ name: "paged" })].map((job) => {
      if (job.spec !== undefined) job.spec.experiment = "paging";
      return job;
    });
    for (const job of jobs) await submit(job);
    await waitFor(
      "three runs",
      async () => (await user.listRuns({ experiment: "paging" })).runs.length === 3,
    );
    const first = await user.listRuns({ experiment: "paging", page: { pageSize: 2 } });
    expect(first.runs.map(({ id }) => id)).toEqual([jobs[2]?.runId, jobs[1]?.runId]);
    const pageToken = first.page?.nextPageToken ?? "";
    const second = await user.listRuns({ experiment: "paging", page: { pageSize: 2, pageToken } });
    expect(second.runs.map(({ id }) => id)).toEqual([jobs[0]?.runId]);
    expect(second.page?.nextPageToken).toBe("");
    expect(await reason(user.listRuns({ page: { pageToken } }))).toBe("INVALID_PAGE_TOKEN");
    const exported: string[] = [];
    for await (const { run } of user.exportRuns({})) exported.push(run?.id ?? "");
    expect(exported).toEqual(expect.arrayContaining(jobs.map(({ runId }) => runId)));
  });

  it("show an experiment that was created, once per name and request", async () => {
    const request = { requestId: newId("req"), name: "sweeps", description: "by hand" };
    const { experiment } = await user.createExperiment(request);
    expect(experiment).toMatchObject({ owner: "user:ada", project, version: 1n });
    expect((await user.createExperiment(request)).experiment?.id).toBe(experiment?.id);
    expect(await reason(user.createExperiment({ ...request, requestId: newId("req") }))).toBe(
      "EXPERIMENT_EXISTS",
    );
    expect(await reason(user.createExperiment({ ...request, name: "others" }))).toBe("REQUEST_ID_REUSED");
    expect((await user.listExperiments({})).experiments.map(({ name }) => name)).toContain("sweeps");
  });
});
