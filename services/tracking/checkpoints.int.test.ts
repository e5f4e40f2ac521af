import { create } from "@bufbuild/protobuf";
import { scheduler, tracking } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { fromConnectError } from "@trainyard/service";
import { waitFor } from "@trainyard/testing";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  aJob,
  project,
  publishEvent,
  startTracking,
  type TestTracking,
  type TrackingClient,
} from "./test-service.ts";

let service: TestTracking;
let user: TrackingClient;
let agent: TrackingClient;
let leader: TrackingClient;
let job: scheduler.Job;

beforeAll(async () => {
  service = await startTracking();
  [user, agent, leader] = await Promise.all([
    service.as("user"),
    service.as("agent"),
    service.as("scheduler"),
  ]);
});

beforeEach(() => {
  job = aJob();
});

const open = (attempt: number) => leader.openAttempt({ runId: job.runId, jobId: job.id, attempt, project });
const holder = () => `run:default:${job.runId}`;
const committedEvents = () =>
  service.store.db.collection("outbox").countDocuments({ subject: job.runId, type: /checkpoint/ });

async function stored(path: string, content: string) {
  const { digest, sizeBytes } = await service.blobs.put(new TextEncoder().encode(content));
  return { path, digest, sizeBytes: BigInt(sizeBytes) };
}

interface Part {
  readonly attempt?: number;
  readonly step?: number;
  readonly rank?: number;
  readonly worldSize?: number;
  readonly content?: string;
  readonly kind?: tracking.CheckpointKind;
}

async function report({ attempt = 1, step = 10, rank = 0, worldSize = 1, content, kind }: Part = {}) {
  const file = await stored("model.pt", content ?? `${job.runId} ${attempt} ${step} ${rank}`);
  return agent.reportCheckpointPart({
    requestId: newId("req"),
    runId: job.runId,
    attempt,
    step: BigInt(step),
    worldSize,
    ...(kind === undefined ? {} : { kind }),
    part: { rank, files: [file], recordsOffset: BigInt(step * 10) },
    metrics: { loss: 1 / step },
  });
}

async function reason(call: Promise<unknown>): Promise<string> {
  const outcome = call.then(
    () => new Error("it succeeded"),
    (caught: unknown) => caught,
  );
  return fromConnectError(await outcome).reason;
}

describe("a checkpoint", () => {
  it("is committed with the last rank's part, pinned, and told once", async () => {
    await open(1);
    expect((await report({ rank: 1, worldSize: 2 })).checkpoint).toBeUndefined();
    expect((await user.listCheckpoints({ runId: job.runId })).checkpoints).toEqual([]);
    const { checkpoint } = await report({ rank: 0, worldSize: 2 });
    expect(checkpoint).toMatchObject({ step: 10n, worldSize: 2, attempt: 1, metrics: { loss: 0.1 } });
    expect(checkpoint?.parts.map(({ rank, recordsOffset }) => ({ rank, recordsOffset }))).toEqual([
      { rank: 0, recordsOffset: 100n },
      { rank: 1, recordsOffset: 100n },
    ]);
    for (const { files } of checkpoint?.parts ?? []) {
      expect(await service.blobs.pins(files[0]?.digest ?? "")).toContain(holder());
    }
    expect((await user.getRun({ runId: job.runId })).run?.latestCheckpoint?.id).toBe(checkpoint?.id);
    expect(await committedEvents()).toBe(1);
  });

  it("is committed exactly once by two last parts at the same time", async () => {
    for (let step = 1; step <= 5; step++) {
      if (step === 1) await open(1);
      const answers = await Promise.all([0, 1, 1, 0].map((rank) => report({ step, rank, worldSize: 2 })));
      const ids = new Set(answers.flatMap(({ checkpoint }) => checkpoint?.id ?? []));
      expect(ids.size).toBe(1);
      expect(await committedEvents()).toBe(step);
    }
  });

  it("of one kind does not keep one of the other kind at the same step from being committed", async () => {
    await open(1);
    const { PERIODIC, JUST_IN_TIME } = tracking.CheckpointKind;
    // The script was saving step 10 when rank 1 died; its part never came.
    await report({ rank: 0, worldSize: 2, content: "as the script saved it" });
    for (const rank of [0, 1]) await report({ rank, worldSize: 2, content: "survivors", kind: JUST_IN_TIME });
    const { checkpoints } = await user.listCheckpoints({ runId: job.runId });
    expect(checkpoints.map(({ step, kind }) => ({ step, kind }))).toEqual([
      { step: 10n, kind: JUST_IN_TIME },
    ]);
    await report({ rank: 1, worldSize: 2, kind: PERIODIC });
    expect((await user.listCheckpoints({ runId: job.runId })).checkpoints).toHaveLength(2);
  });

  it("of another run is where a run begins until it has its own, and stays for it however many come", async () => {
    await open(1);
    for (const step of [1, 2, 3]) await report({ step });
    const other = aJob();
    const hold = (step?: bigint) =>
      leader.holdCheckpoint({
        runId: job.runId,
        project,
        forRunId: other.runId,
        ...(step === undefined ? {} : { step }),
      });
    const held = (await hold(2n)).checkpoint;
    // Asked again it is the same one, also when a newer one is there by now.
    expect((await hold()).checkpoint?.id).toBe(held?.id);
    for (const step of [4, 5, 6, 7]) await report({ step });
    const steps = async () =>
      (await user.listCheckpoints({ runId: job.runId })).checkpoints.map(({ step }) => step);
    expect(await steps()).toEqual([7n, 6n, 5n, 2n]);

    const begin = (attempt: number) =>
      leader.openAttempt({
        runId: other.runId,
        jobId: other.id,
        attempt,
        project,
        startFromCheckpointId: held?.id ?? "",
      });
    const digest = held?.parts[0]?.files[0]?.digest ?? "";
    for (const attempt of [1, 1, 2]) expect((await begin(attempt)).resume?.id).toBe(held?.id);
    expect(await service.blobs.pins(digest)).toContain(`run:default:${other.runId}`);
    const { run } = await user.getRun({ runId: other.runId });
    expect(run?.attempts.map(({ resumedFromCheckpointId }) => resumedFromCheckpointId)).toEqual([
      held?.id,
      held?.id,
    ]);
    const file = await stored("model.pt", `${other.runId}`);
    const { checkpoint: own } = await agent.reportCheckpointPart({
      requestId: newId("req"),
      runId: other.runId,
      attempt: 2,
      step: 9n,
      worldSize: 1,
      part: { rank: 0, files: [file], recordsOffset: 1n },
    });
    expect((await begin(3)).resume?.id).toBe(own?.id);
  });

  it("that nobody has cannot be started from; the refusal names those there are", async () => {
    await open(1);
    const forRunId = newId("run");
    const hold = (more: { runId?: string; project?: string; step?: bigint }) =>
      leader.holdCheckpoint({ runId: job.runId, project, forRunId, ...more });
    expect(await reason(hold({}))).toBe("CHECKPOINT_NOT_FOUND");
    await report({ step: 4 });
    await expect(hold({ step: 5n })).rejects.toThrow("of step 5: it has those of steps 4.");
    expect(await reason(hold({ runId: newId("run") }))).toBe("RUN_NOT_FOUND");
    expect(await reason(hold({ project: "elsewhere" }))).toBe("RUN_NOT_FOUND");
    expect(await reason(user.holdCheckpoint({ runId: job.runId, project, forRunId }))).not.toBe("");
    const runs = service.store.collection<{ _id: string }>("runs");
    await runs.updateOne({ _id: job.runId }, { $set: { lifecycle: "deleted" } });
    expect(await reason(hold({ step: 4n }))).toBe("RUN_DELETED");
  });

  it("has beside it what the death of a rank costs, and what became of it", async () => {
    await open(1);
    const request = { requestId: newId("req"), runId: job.runId, attempt: 1 };
    const { LAST_CHECKPOINT } = tracking.RecoveryMode;
    const recovery = { mode: LAST_CHECKPOINT, reason: "ONE_RANK", message: "The gang has one rank." };
    await agent.reportRecovery({ ...request, recovery });
    const handover = {
      saved: false,
      step: -1n,
      reason: "NO_SURVIVOR",
      message: "None was left.",
      seconds: 0.5,
    };
    await agent.reportRecovery({ ...request, handover });
    await agent.reportRecovery({ ...request, handover });
    const { run } = await user.getRun({ runId: job.runId });
    expect(run?.recovery).toMatchObject(recovery);
    expect(run?.attempts[0]?.handover).toMatchObject(handover);
    // Another node of the gang has not learned of it.
    await agent.reportRecovery({ ...request, handover: { ...handover, saved: true, step: 7n, reason: "" } });
    const after = await user.getRun({ runId: job.runId });
    expect(after.run?.attempts[0]?.handover).toMatchObject(handover);
    await open(2);
    expect(await reason(agent.reportRecovery({ ...request, handover }))).toBe("ATTEMPT_FENCED");
    const bad = { ...handover, reason: "no survivor" };
    expect(await reason(agent.reportRecovery({ ...request, attempt: 2, handover: bad }))).toBe(
      "INVALID_FIELD",
    );
  });

  it("gives the same answer to the same part, also after the attempt was fenced", async () => {
    await open(1);
    const first = await report();
    expect(await report()).toEqual(first);
    await open(2);
    expect(await report()).toEqual(first);
    expect(await committedEvents()).toBe(1);
  });

  it("refuses another part for the same rank and step, and a gang of another size", async () => {
    await open(1);
    await report({ worldSize: 2 });
    expect(await reason(report({ worldSize: 2, content: "other" }))).toBe("CHECKPOINT_PART_DIFFERS");
    expect(await reason(report({ rank: 1, worldSize: 3 }))).toBe("CHECKPOINT_PART_DIFFERS");
  });

  it("refuses a part whose file is missing or cut off, and takes it once it is whole", async () => {
    await open(1);
    const file = await stored("model.pt", `${job.runId} whole`);
    const request = (sizeBytes: bigint, digest: string) =>
      agent.reportCheckpointPart({
        requestId: newId("req"),
        runId: job.runId,
        attempt: 1,
        step: 1n,
        worldSize: 1,
        part: { rank: 0, files: [{ ...file, digest, sizeBytes }], recordsOffset: 0n },
      });
    expect(await reason(request(file.sizeBytes, "0".repeat(64)))).toBe("BLOB_MISSING");
    expect(await reason(request(file.sizeBytes + 1n, file.digest))).toBe("BLOB_MISSING");
    expect(await service.blobs.pins(file.digest)).toEqual([]);
    expect((await request(file.sizeBytes, file.digest)).checkpoint?.step).toBe(1n);
  });

  it("of which more than `keep` are newer lets go of its files", async () => {
    job = aJob({ keep: 2 });
    await publishEvent(service.bus, scheduler.JobSubmittedSchema, job, { job });
    await user.getRun({ runId: job.runId });
    await open(1);
    for (const step of [1, 2, 3]) await report({ step });
    const { checkpoints } = await user.listCheckpoints({ runId: job.runId });
    expect(checkpoints.map(({ step }) => step)).toEqual([3n, 2n]);
    const { digest } = await stored("model.pt", `${job.runId} 1 1 0`);
    expect(await service.blobs.pins(digest)).toEqual([]);
    expect((await report({ step: 1 })).checkpoint?.step).toBe(1n);
    expect(await service.blobs.pins(digest)).toEqual([]);
  });
});

describe("opening an attempt", () => {
  it("names the newest committed checkpoint, again and again, and fences what is older", async () => {
    expect((await open(1)).resume).toBeUndefined();
    await report({ step: 10 });
    await report({ step: 20 });
    await report({ step: 30, worldSize: 2 });
    const { resume } = await open(2);
    expect(resume?.step).toBe(20n);
    expect(await reason(report({ step: 30, rank: 1, worldSize: 2 }))).toBe("ATTEMPT_FENCED");
    expect(await reason(report({ step: 40 }))).toBe("ATTEMPT_FENCED");
    expect((await open(2)).resume).toEqual(resume);
    expect(await reason(open(1))).toBe("ATTEMPT_FENCED");
    const { run } = await user.getRun({ runId: job.runId });
    expect(run?.attempts.map((attempt) => attempt.resumedFromCheckpointId)).toEqual(["", resume?.id]);
  });

  it("keeps the checkpoint that the attempt resumed from, although newer ones come", async () => {
    await open(1);
    await report({ step: 1 });
    await open(2);
    for (const step of [2, 3, 4, 5]) await report({ attempt: 2, step });
    const { checkpoints } = await user.listCheckpoints({ runId: job.runId });
    expect(checkpoints.map(({ step }) => step)).toEqual([5n, 4n, 3n, 1n]);
  });

  it("against a part at the same moment: the part is in the checkpoint that the attempt resumes from, or refused", async () => {
    for (let attempt = 1; attempt <= 6; attempt++) {
      await open(attempt);
      const [part, next] = await Promise.allSettled([report({ attempt, step: attempt }), open(attempt + 1)]);
      const resumedStep = next.status === "fulfilled" ? (next.value.resume?.step ?? 0n) : -1n;
      expect(part.status === "fulfilled").toBe(resumedStep === BigInt(attempt));
    }
  });

  it("is for the scheduler alone, and with an attempt that is none refused", async () => {
    const one = { runId: job.runId, jobId: job.id, attempt: 1, project };
    expect(await reason(agent.openAttempt(one))).toBe("KIND_NOT_ADMITTED");
    expect(await reason(leader.openAttempt({ ...one, attempt: 0 }))).toBe("INVALID_FIELD");
    expect(await reason(report())).toBe("RUN_NOT_FOUND");
    await open(1);
    expect(await reason(report({ attempt: 2 }))).toBe("ATTEMPT_NOT_OPEN");
    expect(await reason(leader.openAttempt({ ...one, jobId: newId("job") }))).toBe("RUN_OF_ANOTHER_JOB");
  });
});

describe("artifacts and models", () => {
  it("are kept by path, and a repeated call does not bring back what was replaced", async () => {
    await open(1);
    const log = async (requestId: string, content: string) =>
      agent.logArtifact({
        requestId,
        runId: job.runId,
        attempt: 1,
        file: await stored("reports/a.json", content),
      });
    const first = await log(`${job.runId}-1`, "first");
    const second = await log(`${job.runId}-2`, "second");
    expect(await log(`${job.runId}-1`, "first")).toEqual(first);
    const { artifacts } = await user.listArtifacts({ runId: job.runId });
    expect(artifacts).toEqual([second.artifact]);
    expect(await service.blobs.pins(second.artifact?.digest ?? "")).toContain(holder());
    expect(await reason(log(`${job.runId}-1`, "third"))).toBe("REQUEST_ID_REUSED");
  });

  it.each(["../../x", "/etc/passwd", "a\u0000b", "a//b"])("are refused at the path %j", async (path) => {
    await open(1);
    const file = { ...(await stored("x", "x")), path };
    const call = agent.logArtifact({ requestId: newId("req"), runId: job.runId, attempt: 1, file });
    expect(await reason(call)).toBe("ARTIFACT_PATH_INVALID");
  });

  it("come with the event of the run's end", async () => {
    await publishEvent(service.bus, scheduler.JobSubmittedSchema, job, { job });
    await open(1);
    const model = {
      name: "model",
      files: [await stored("model/model.pt2", "weights")],
      framework: "torch",
      signature: { inputs: [{ name: "x", dtype: "float32", shape: [-1n, 64n] }], outputs: [] },
      metrics: { accuracy: 0.5 },
      step: -1n,
    };
    const logged = await agent.logModel({ requestId: newId("req"), runId: job.runId, attempt: 1, model });
    expect(logged.model?.digest).toMatch(/^[0-9a-f]{64}$/);
    const ended = create(scheduler.JobSchema, { ...job, state: scheduler.JobState.SUCCEEDED });
    await publishEvent(service.bus, scheduler.JobEndedSchema, job, { job: ended });
    const row = await waitFor("run.ended", async () => {
      const found = await service.store.db
        .collection("outbox")
        .findOne({ subject: job.runId, type: /run\.ended/ });
      return found ?? undefined;
    });
    const event = JSON.parse(String(row.body)) as { data: { run: { model: object } }; traceparent: string };
    expect(event.traceparent).toBe(job.traceparent);
    expect(event.data.run.model).toMatchObject({
      name: "model",
      signature: { inputs: [{ shape: ["-1", "64"] }] },
    });
    const { run } = await user.getRun({ runId: job.runId });
    expect(run?.status).toBe(tracking.RunStatus.COMPLETED);
  });
});
