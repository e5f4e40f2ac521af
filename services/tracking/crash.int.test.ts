import {
  type Bus,
  declareStream,
  TELEMETRY_PARTITIONS,
  telemetryStreamSpec,
  unpartitionedTelemetry,
} from "@trainyard/bus";
import { scheduler } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { fromConnectError } from "@trainyard/service";
import { tempDir, testSigner, waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { ownerOf } from "./domain/rendezvous.ts";
import { SILENT_MS } from "./domain/replicas.ts";
import { spawnTracking } from "./test-process.ts";
import {
  aJob,
  aMetricBatch,
  ended,
  isTelemetryTaken,
  project,
  publishEvent,
  publishLog,
  publishMetrics,
  startTracking,
  type TestTracking,
  telemetryConsumers,
} from "./test-service.ts";

let service: TestTracking;

beforeAll(async () => {
  // Its set-up only: the service itself runs as processes that can die.
  service = await startTracking({ start: false });
  await testSigner("evaluation");
});

/** Tracking that dies at each of the points, once over all its lives. */
const dyingAt = (points: readonly string[], once: string) =>
  spawnTracking(service, { TRAINYARD_CRASH_AT: points.join(","), TRAINYARD_CRASH_ONCE_DIR: once });

const everythingAcknowledged = () =>
  waitFor("everything to be acknowledged", () => isTelemetryTaken(service.bus, { acknowledged: true }));

const collection = <T extends { _id: string }>(name: string) => service.store.collection<T>(name);

/** The stream and its consumer as they were before there were partitions. */
async function declareUnpartitioned(bus: Bus): Promise<void> {
  const { transform: _, ...spec } = telemetryStreamSpec();
  await declareStream(bus, { ...spec, subjects: [unpartitionedTelemetry] });
  await bus.jsm.consumers.add(spec.name, {
    durable_name: "tracking-telemetry",
    filter_subject: "telemetry.>",
    ack_policy: "explicit",
  });
}

describe("a crash between the commit and what follows", () => {
  it("doubles and loses no point and no line: of what comes again, is folded again, is packed again", async () => {
    const once = tempDir("once");
    const points = ["metrics.stored", "metrics.folded", "metrics.packing", "metrics.packed", "logs.stored"];
    const crashes = points.map((point) => `tracking.${point}`);
    const job = aJob();
    const { runId } = job;
    const [batches, size] = [5, 4_000];
    const publish = (batch: number) => {
      const steps = [batch * size + 1, (batch + 1) * size] as const;
      return publishMetrics(service.bus, aMetricBatch({ runId, attempt: 1 }, steps));
    };
    // The first is in the stream since before an upgrade.
    await declareUnpartitioned(service.bus);
    await publish(0);
    let life = await dyingAt(crashes, once);
    let deaths = 0;
    const dies = async () => {
      expect(await life.child.exited).toBe("SIGKILL");
      deaths += 1;
      life = await dyingAt(crashes, once);
    };
    const opened = () =>
      life.leader.openAttempt({ runId, jobId: job.id, attempt: 1, project }).then(
        () => true,
        () => false,
      );
    // The first batch may be its death before it answers, and the next one's.
    while (!(await opened())) await dies();
    for (let batch = 1; batch < batches; batch++) await publish(batch);
    while (deaths < points.length - 1) await dies();
    await publishLog(service.bus, { runId, attempt: 1 }, 0, new TextEncoder().encode("hello\n"));
    await dies();
    await everythingAcknowledged();
    await waitFor(
      "everything to be packed",
      async () => (await collection("metric_batches").countDocuments({ runId })) === 0,
    );
    const { points: history } = await life.reader.getMetricHistory({ runId });
    expect(history.map(({ step }) => Number(step))).toEqual(
      Array.from({ length: batches * size }, (_, index) => index + 1),
    );
    const row = await collection("metric_summaries").findOne({ _id: `${runId}:loss` });
    expect(row).toMatchObject({ count: batches * size, mean: (batches * size + 1) / 2, max: batches * size });
    const lines: string[] = [];
    for await (const answer of life.reader.readLogs({ runId })) lines.push(...answer.lines);
    expect(lines).toEqual(["hello"]);
    await life.child.kill("SIGTERM");
  }, 240_000);

  it("moves an output into the blob store once, and loses no line on the way", async () => {
    const once = tempDir("once");
    const crashes = ["tracking.archive.uploaded", "tracking.archive.committed"];
    const job = aJob();
    const { runId } = job;
    const start = () =>
      spawnTracking(service, {
        TRAINYARD_CRASH_AT: crashes.join(","),
        TRAINYARD_CRASH_ONCE_DIR: once,
        TRAINYARD_ARCHIVE_LOGS_AFTER_MS: "0",
        TRAINYARD_ARCHIVE_TURN_MS: "1000",
      });
    let life = await start();
    await publishEvent(service.bus, scheduler.JobSubmittedSchema, job, { job });
    await life.leader.openAttempt({ runId, jobId: job.id, attempt: 1, project });
    await publishLog(service.bus, { runId, attempt: 1 }, 0, new TextEncoder().encode("hello\n"));
    await waitFor("the line", async () => (await collection("log_batches").countDocuments({ runId })) === 1);
    await publishEvent(service.bus, scheduler.JobEndedSchema, job, { job: ended(job) });
    for (const _point of crashes) {
      expect(await life.child.exited).toBe("SIGKILL");
      life = await start();
    }
    await waitFor(
      "the output to be archived",
      async () =>
        (await collection("log_archiving").countDocuments({ _id: runId, dueAt: { $exists: true } })) === 0,
    );
    expect(await collection("log_batches").countDocuments({ runId })).toBe(0);
    const lines: string[] = [];
    for await (const answer of life.reader.readLogs({ runId })) lines.push(...answer.lines);
    expect(lines).toEqual(["hello"]);
    await life.child.kill("SIGTERM");
  });

  it("commits a checkpoint once: the agent that got no answer asks again", async () => {
    const once = tempDir("once");
    const crashes = ["tracking.checkpoint.committed"];
    const job = aJob();
    const content = new TextEncoder().encode("weights");
    const { digest } = await service.blobs.put(content);
    const request = {
      requestId: newId("req"),
      runId: job.runId,
      attempt: 1,
      step: 5n,
      worldSize: 1,
      part: {
        rank: 0,
        files: [{ path: "w", digest, sizeBytes: BigInt(content.length) }],
        recordsOffset: 50n,
      },
    };
    const first = await dyingAt(crashes, once);
    await first.leader.openAttempt({ runId: job.runId, jobId: job.id, attempt: 1, project });
    const call = first.agent
      .reportCheckpointPart(request)
      .catch((error: unknown) => fromConnectError(error).code);
    expect(await first.child.exited).toBe("SIGKILL");
    expect(["unavailable", "aborted"]).toContain(await call);
    const second = await dyingAt(crashes, once);
    const { checkpoint } = await second.agent.reportCheckpointPart(request);
    const { resume } = await second.leader.openAttempt({
      runId: job.runId,
      jobId: job.id,
      attempt: 2,
      project,
    });
    expect(resume).toEqual(checkpoint);
    const events = await waitFor("the event in the stream", async () => {
      const { state } = await service.bus.jsm.streams.info("EVENTS_TRACKING", { subjects_filter: ">" });
      const ofRun = Object.entries(state.subjects ?? {}).filter(([subject]) => subject.endsWith(job.runId));
      return ofRun.length > 0 && ofRun;
    });
    expect(events).toEqual([[`trainyard.${project}.tracking.checkpoint.committed.v1.${job.runId}`, 1]]);
    expect(await service.blobs.pins(digest)).toContain(`run:default:${job.runId}`);
    await second.child.kill("SIGTERM");
  });
});

describe("two replicas", () => {
  const RUNS = 16;

  /** How many replicas ask for what is in each partition of the telemetry. */
  const askers = async () => (await telemetryConsumers(service.bus)).map(({ num_waiting }) => num_waiting);
  const eachHasOneAsker = (when: string) =>
    waitFor(`each partition to be one replica's ${when}`, async () => {
      expect(new Set(await askers())).toEqual(new Set([1]));
      return true;
    });

  it("share the runs; a dead one's share goes to the other when it has been silent, and no point is lost or doubled", async () => {
    const members = collection<{ _id: string; beat: number }>("metric_workers");
    await members.deleteMany({}); // Of the processes that died above.
    const first = await spawnTracking(service);
    const [dying] = await waitFor("the first to be there", async () => {
      const all = await members.find().toArray();
      return all.length === 1 && all;
    });
    const second = await spawnTracking(service);
    const surviving = await waitFor("the second to be there", () =>
      members.findOne({ _id: { $ne: dying?._id ?? "" } }),
    );
    const ids = [dying?._id ?? "", surviving?._id ?? ""];
    const jobs = Array.from({ length: RUNS }, () => aJob());
    for (const { id, runId } of jobs)
      await second.leader.openAttempt({ runId, jobId: id, attempt: 1, project });
    await eachHasOneAsker("before");
    // Killed right after the other has seen that it lives, so that the time in which it counts as alive begins now.
    for (const _id of ids) {
      const beat = (await members.findOne({ _id }))?.beat;
      await waitFor("its next beat", async () => (await members.findOne({ _id }))?.beat !== beat);
    }
    // Some are on their way when it dies, and come again in part.
    for (const { runId } of jobs)
      await publishMetrics(service.bus, aMetricBatch({ runId, attempt: 1 }, [1, 3]));
    expect(await first.child.kill("SIGKILL")).toBe("SIGKILL");
    const killedMs = Date.now();
    for (const { runId } of jobs)
      await publishMetrics(service.bus, aMetricBatch({ runId, attempt: 1 }, [2, 5]));
    await waitFor("its partitions to be nobody's", async () => {
      const left = (await askers()).filter((count) => count === 0).length;
      return left > 0 && left < TELEMETRY_PARTITIONS;
    });
    const runIds = jobs.map(({ runId }) => runId);
    const rows = collection<{ _id: string; runId: string; count: number }>("metric_summaries");
    await waitFor("all to be folded", async () => {
      return (await rows.countDocuments({ runId: { $in: runIds }, count: 5 })) === RUNS;
    });
    const states = collection<{ _id: string; updatedAt: Date }>("metric_states");
    const folded = await states.find({ _id: { $in: runIds } }).toArray();
    const taken = folded
      .filter(({ _id }) => ownerOf(_id, ids) === ids[0])
      .map(({ updatedAt }) => updatedAt.getTime() - killedMs);
    expect([0, RUNS]).not.toContain(taken.length);
    // A look that began with a beat reads the clock before the rows.
    const marginMs = 1_000;
    expect(Math.min(...taken)).toBeGreaterThan(SILENT_MS - marginMs);
    await eachHasOneAsker("after");
    for (const { runId } of jobs) {
      const { points } = await second.reader.getMetricHistory({ runId });
      expect(points.map(({ step }) => Number(step))).toEqual([1, 2, 3, 4, 5]);
    }
    await second.child.kill("SIGTERM");
  });
});
