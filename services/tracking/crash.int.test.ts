import { tracking } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { fromConnectError, rpcClient } from "@trainyard/service";
import { freePort, spawnScript, tempDir, testSigner, waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import {
  aJob,
  aMetricBatch,
  project,
  publishLog,
  publishMetrics,
  startTracking,
  type TestTracking,
  type TrackingClient,
} from "./test-service.ts";

let service: TestTracking;

beforeAll(async () => {
  // Its set-up only: the service itself runs as a process that can die.
  service = await startTracking({ start: false });
});

/** Starts the service as a process that dies at the point, once over all its lives. */
async function spawnTracking(crashAt: string, once: string) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = await spawnScript("tracking", {
    script: "services/tracking/main.ts",
    env: {
      ...service.env,
      TRAINYARD_LISTEN_PORT: String(port),
      TRAINYARD_CRASH_AT: crashAt,
      TRAINYARD_CRASH_ONCE_DIR: once,
    },
    readyUrl: `${url}/readyz`,
  });
  const as = async (kid: string): Promise<TrackingClient> =>
    rpcClient(tracking.TrackingService, url, { signer: await testSigner(kid), timeoutMs: 10_000 });
  return {
    child,
    agent: await as("agent:n1"),
    leader: await as("scheduler"),
    reader: await as("evaluation"),
  };
}

describe("a crash between the commit and what follows", () => {
  it("doubles no point and no line: the batch that comes again is found stored", async () => {
    const once = tempDir("once");
    const job = aJob();
    await testSigner("evaluation");
    const first = await spawnTracking("tracking.metrics.stored,tracking.logs.stored", once);
    await first.leader.openAttempt({ runId: job.runId, jobId: job.id, attempt: 1, project });
    await publishMetrics(service.bus, aMetricBatch({ runId: job.runId, attempt: 1 }, [1, 10]));
    expect(await first.child.exited).toBe("SIGKILL");
    const second = await spawnTracking("tracking.metrics.stored,tracking.logs.stored", once);
    await publishLog(service.bus, { runId: job.runId, attempt: 1 }, 0, new TextEncoder().encode("hello\n"));
    expect(await second.child.exited).toBe("SIGKILL");
    const third = await spawnTracking("tracking.metrics.stored,tracking.logs.stored", once);
    await waitFor(
      "everything to be acknowledged",
      async () => {
        const info = await service.bus.jsm.consumers.info("TELEMETRY", "tracking-telemetry");
        return info.num_ack_pending === 0 && info.num_pending === 0;
      },
      { timeoutMs: 45_000 },
    );
    const { points } = await third.reader.getMetricHistory({ runId: job.runId });
    expect(points).toHaveLength(10);
    const lines: string[] = [];
    for await (const answer of third.reader.readLogs({ runId: job.runId })) lines.push(...answer.lines);
    expect(lines).toEqual(["hello"]);
    await third.child.kill("SIGTERM");
  }, 120_000);

  it("commits a checkpoint once: the agent that got no answer asks again", async () => {
    const once = tempDir("once");
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
    const first = await spawnTracking("tracking.checkpoint.committed", once);
    await first.leader.openAttempt({ runId: job.runId, jobId: job.id, attempt: 1, project });
    const call = first.agent
      .reportCheckpointPart(request)
      .catch((error: unknown) => fromConnectError(error).code);
    expect(await first.child.exited).toBe("SIGKILL");
    expect(["unavailable", "aborted"]).toContain(await call);
    const second = await spawnTracking("tracking.checkpoint.committed", once);
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
  }, 120_000);
});
