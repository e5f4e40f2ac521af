import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { type scheduler, scheduler as schedulerContract } from "@trainyard/contracts";
import { fromConnectError } from "@trainyard/service";
import { waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import {
  aJob,
  ended,
  project,
  publishEvent,
  publishLog,
  startTracking,
  type TestTracking,
  type TrackingClient,
} from "./test-service.ts";

let service: TestTracking;
let user: TrackingClient;
let agent: TrackingClient;
let leader: TrackingClient;

beforeAll(async () => {
  service = await startTracking({ archiveLogsAfterMs: 0 });
  [user, agent, leader] = await Promise.all([
    service.as("user"),
    service.as("agent"),
    service.as("scheduler"),
  ]);
});

const utf8 = (text: string) => new TextEncoder().encode(text);
const path = (rank: number) => `trainyard/logs/attempt-1/rank-000${rank}.stdout.log.gz`;

async function start(): Promise<scheduler.Job> {
  const job = aJob();
  await publishEvent(service.bus, schedulerContract.JobSubmittedSchema, job, { job });
  await leader.openAttempt({ runId: job.runId, jobId: job.id, attempt: 1, project });
  return job;
}

async function print(runId: string, rank: number, begin: number, text: string): Promise<void> {
  await publishLog(service.bus, { runId, attempt: 1, rank }, begin, utf8(text));
}

const end = (job: scheduler.Job) =>
  publishEvent(service.bus, schedulerContract.JobEndedSchema, job, { job: ended(job) });

async function lines(runId: string, tailLines = 0): Promise<string[]> {
  const read: string[] = [];
  for await (const answer of user.readLogs({ runId, tailLines }))
    read.push(...answer.lines.map((line) => `${answer.rank}: ${line}`));
  return read;
}

const batchesOf = (runId: string) => service.store.collection("log_batches").countDocuments({ runId });

async function archived(runId: string): Promise<void> {
  await waitFor("the outputs to be archived", async () => (await batchesOf(runId)) === 0);
}

async function fileOf(runId: string, rank: number): Promise<string> {
  const { artifacts } = await user.listArtifacts({ runId });
  const { digest } = artifacts.find((file) => file.path === path(rank)) ?? { digest: "" };
  return gunzipSync(await buffer(await service.blobs.open(digest))).toString();
}

describe("the outputs of a run that has ended", () => {
  it("are files among its artifacts, and read as before", async () => {
    const { runId, ...job } = await start();
    const long = Array.from({ length: 20_000 }, (_, index) => `line ${index} größe 🚂`);
    const text = utf8(`${long.join("\n")}\nwithout an end`);
    for (let at = 0; at < text.length; at += 100_001)
      await publishLog(service.bus, { runId, attempt: 1, rank: 0 }, at, text.subarray(at, at + 100_001));
    await print(runId, 1, 0, "one\ntwo\n");
    await waitFor("both outputs", async () => (await lines(runId)).length === 20_002);
    const before = await lines(runId);
    await end({ runId, ...job });
    await archived(runId);
    expect((await lines(runId)).toSorted()).toEqual([...before, "0: without an end"].toSorted());
    expect((await lines(runId)).filter((line) => line.startsWith("0"))).toEqual(
      [...long, "without an end"].map((line) => `0: ${line}`),
    );
    expect((await lines(runId, 1)).toSorted()).toEqual(["0: without an end", "1: two"]);
    expect(await fileOf(runId, 0)).toBe(new TextDecoder().decode(text));
    expect(await fileOf(runId, 1)).toBe("one\ntwo\n");
  });

  it("take in what comes later, in its place", async () => {
    const job = await start();
    const { runId } = job;
    await print(runId, 0, 0, "first\n");
    await print(runId, 0, 13, "third\n");
    await waitFor("the pieces", async () => (await batchesOf(runId)) === 2);
    await end(job);
    await archived(runId);
    expect(await lines(runId)).toEqual(["0: first", "0: third"]);
    await print(runId, 0, 6, "second\n");
    await print(runId, 1, 0, "from a node that was away\n");
    await waitFor("what came late", async () => {
      const { ranks } = await agent.getTelemetryOffsets({ runId, attempt: 1 });
      return ranks.length === 2 && ranks.every(({ stdout }) => stdout > 13n);
    });
    await archived(runId);
    const all = ["0: first", "0: second", "0: third", "1: from a node that was away"];
    expect((await lines(runId)).toSorted()).toEqual(all);
    expect(await fileOf(runId, 0)).toBe("first\nsecond\nthird\n");
  });

  it("are missed, with the file's name, once somebody has deleted it", async () => {
    const job = await start();
    const { runId } = job;
    await print(runId, 0, 0, "hello\n");
    await waitFor("the output", async () => (await batchesOf(runId)) === 1);
    await end(job);
    await archived(runId);
    const { artifacts } = await user.listArtifacts({ runId });
    const digest = artifacts[0]?.digest ?? "";
    for (const holder of await service.blobs.pins(digest)) await service.blobs.unpin(digest, holder);
    await service.blobs.delete(digest);
    const refusal = await lines(runId).catch((error: unknown) => fromConnectError(error));
    expect(refusal).toMatchObject({ reason: "LOG_ARCHIVE_GONE", message: expect.stringContaining(path(0)) });
  });
});
