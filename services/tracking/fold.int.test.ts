import { waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import {
  aJob,
  aMetricBatch,
  type MetricClient,
  project,
  publishMetrics,
  RECORD_BYTES,
  startTracking,
  type TestTracking,
  type TrackingClient,
} from "./test-service.ts";

let service: TestTracking;
let agent: TrackingClient;
let leader: TrackingClient;
let metrics: MetricClient;

beforeAll(async () => {
  service = await startTracking();
  [agent, leader, metrics] = await Promise.all([
    service.as("agent"),
    service.as("scheduler"),
    service.metrics(),
  ]);
});

const row = (runId: string, key = "loss") =>
  service.store.collection<{ _id: string }>("metric_summaries").findOne({ _id: `${runId}:${key}` });

/** The row as a search finds it, once it says this. */
const rowBecomes = (runId: string, expected: Record<string, unknown>) =>
  waitFor(`the summary to be ${JSON.stringify(expected)}`, async () => {
    expect(await row(runId)).toMatchObject(expected);
    return true;
  });

const answered = async (runId: string) =>
  (await metrics.getSummaries({ runIds: [runId], keys: ["loss"] })).runs[0]?.metrics.loss;

async function commitCheckpoint(runId: string, attempt: number, step: number): Promise<void> {
  const content = new TextEncoder().encode(`weights ${step}`);
  const { digest } = await service.blobs.put(content);
  await agent.reportCheckpointPart({
    requestId: `${runId}.${attempt}.${step}`,
    runId,
    attempt,
    step: BigInt(step),
    worldSize: 1,
    part: {
      rank: 0,
      files: [{ path: "w", digest, sizeBytes: BigInt(content.length) }],
      recordsOffset: BigInt(step * RECORD_BYTES),
    },
  });
}

describe("a run's summaries", () => {
  it("are where a search finds them soon after points were stored, each counted once", async () => {
    const job = aJob();
    const { runId } = job;
    await leader.openAttempt({ runId, jobId: job.id, attempt: 1, project });
    await publishMetrics(service.bus, aMetricBatch({ runId, attempt: 1 }, [1, 10]));
    await publishMetrics(service.bus, aMetricBatch({ runId, attempt: 1 }, [6, 20]));
    await rowBecomes(runId, { count: 20, min: 1, max: 20, minStep: 1, last: 20, mean: 10.5 });
    await publishMetrics(service.bus, aMetricBatch({ runId, attempt: 1 }, [1, 20]));
    await publishMetrics(
      service.bus,
      aMetricBatch({ runId, attempt: 1 }, [21, 30], () => -1),
    );
    await rowBecomes(runId, { count: 30, min: -1, minStep: 21, last: -1 });
    expect(await answered(runId)).toMatchObject({ count: 30n, min: -1, last: -1, lastStep: 30n });
  });

  it("follow the history: what an attempt replaces goes out of them, with the step it resumed from", async () => {
    const job = aJob();
    const { runId } = job;
    await leader.openAttempt({ runId, jobId: job.id, attempt: 1, project });
    await publishMetrics(
      service.bus,
      aMetricBatch({ runId, attempt: 1 }, [1, 10], (step) => step * 100),
    );
    await rowBecomes(runId, { count: 10, max: 1_000 });
    await commitCheckpoint(runId, 1, 4);
    await leader.openAttempt({ runId, jobId: job.id, attempt: 2, project });
    expect(await answered(runId)).toMatchObject({ count: 4n, max: 400, last: 400 });
    await rowBecomes(runId, { count: 4, max: 400, last: 400 });
    await publishMetrics(
      service.bus,
      aMetricBatch({ runId, attempt: 2 }, [5, 6], (step) => step),
    );
    await publishMetrics(
      service.bus,
      aMetricBatch({ runId, attempt: 1 }, [11, 12], () => 9_999),
    );
    await rowBecomes(runId, { count: 6, max: 400, last: 6 });
    expect(await answered(runId)).toMatchObject({ count: 6n, max: 400, last: 6, lastStep: 6n });
  });

  it("are gone when no point of a metric is history any more", async () => {
    const job = aJob();
    const { runId } = job;
    await leader.openAttempt({ runId, jobId: job.id, attempt: 1, project });
    await publishMetrics(service.bus, aMetricBatch({ runId, attempt: 1 }, [1, 3]));
    await rowBecomes(runId, { count: 3 });
    await leader.openAttempt({ runId, jobId: job.id, attempt: 2, project });
    await waitFor("the summary to be gone", async () => (await row(runId)) === null);
    expect(await answered(runId)).toBeUndefined();
  });
});
