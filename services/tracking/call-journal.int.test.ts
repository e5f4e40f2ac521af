/** Points of calls that the bus acknowledges: what every reader sees of them, and what becomes of them when somebody dies. */
import type { Client } from "@connectrpc/connect";
import { metricCallSubject, streamNames } from "@trainyard/bus";
import { tracking } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { tempDir, testNats, waitFor } from "@trainyard/testing";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { spawnTracking, type TrackingProcess } from "./test-process.ts";
import {
  clientOf,
  type MetricClient,
  startTracking,
  type TestTracking,
  type TrackingClient,
} from "./test-service.ts";

let service: TestTracking;
let user: TrackingClient;
let metrics: MetricClient;
let runs: Client<typeof tracking.RunService>;
let runId: string;

beforeAll(async () => {
  service = await startTracking();
  [user, metrics] = await Promise.all([service.as("user"), service.metrics()]);
  runs = await clientOf(tracking.RunService, service.app.server.url, "user");
});

beforeEach(async () => {
  runId = await outsideRun();
});

/** A run as an MLflow client begins one: no job, ended by whoever logs to it. */
async function outsideRun(): Promise<string> {
  const { run } = await runs.createRun({ requestId: newId("req"), experiment: "journal" });
  return run?.id ?? "";
}

const point = (step: number, value = step) => ({
  runId,
  namedByPoints: true,
  points: { keys: ["loss"], keyIndex: [0], steps: [BigInt(step)], timesMs: [1_000 + step], values: [value] },
});

const stepsOf = async (reader: TrackingClient) =>
  (await reader.getMetricHistory({ runId, minStep: 1n })).points.map(({ step }) => Number(step));

const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

const messages = async () => (await service.bus.jsm.streams.info(streamNames.metricCalls)).state.messages;
const isEmptied = () => waitFor("the stream to be emptied", async () => (await messages()) === 0);

const batches = () => service.store.collection("metric_batches").countDocuments({ runId });

describe("points that name their call", () => {
  it("are in the history, the series, the summary and the search of the very next read", async () => {
    for (const step of upTo(6)) {
      // A point for each kind of read, since one that was read is written.
      await metrics.logMetrics(point(step));
      expect(await stepsOf(user)).toEqual(upTo(step));
      await metrics.logMetrics(point(0, step));
      const { series } = await metrics.getSeries({ runIds: [runId], keys: ["loss"], maxStep: 0n });
      expect(series[0]?.points?.values).toHaveLength(3 * step - 2);
      await metrics.logMetrics(point(0, step + 0.5));
      const { runs: summaries } = await metrics.getSummaries({ runIds: [runId] });
      expect(summaries[0]?.metrics.loss).toMatchObject({ max: step + 0.5 });
      await metrics.logMetrics(point(0, step + 0.75));
      const found = await runs.searchRuns({ filter: `metrics.loss.max = ${step + 0.75}` });
      expect(found.runs.map(({ id }) => id)).toEqual([runId]);
    }
    await isEmptied();
  });

  it("are stored once however often they come, also at once and again later; others beside them", async () => {
    await Promise.all(Array.from({ length: 10 }, () => metrics.logMetrics(point(1))));
    expect(await stepsOf(user)).toEqual([1]);
    await metrics.logMetrics(point(1));
    await Promise.all([point(1, -0), point(1, 0), point(2)].map((each) => metrics.logMetrics(each)));
    expect(await stepsOf(user)).toEqual([1, 1, 1, 2]);
  });

  it("are what a run ends with", async () => {
    for (const value of upTo(10)) {
      runId = await outsideRun();
      const ended = { requestId: newId("req"), runId, status: tracking.RunStatus.COMPLETED };
      await metrics.logMetrics(point(1, value));
      const { run } = await runs.updateRun(ended);
      expect(run?.metrics.loss).toMatchObject({ last: value, count: 1n });
    }
  });

  it("are stored where they are too many for a message of the bus", async () => {
    const many = upTo(60_000);
    const before = await messages();
    await metrics.logMetrics({
      runId,
      namedByPoints: true,
      points: {
        keys: ["noise"],
        keyIndex: many.map(() => 0),
        steps: many.map(BigInt),
        timesMs: many.map((step) => 1_000 + step),
        values: many.map(() => Math.random()),
      },
    });
    expect(await batches()).toBe(1);
    expect(await messages()).toBeLessThanOrEqual(before);
    const { series } = await metrics.getSeries({ runIds: [runId], keys: ["noise"] });
    expect(series[0]?.points?.values).toHaveLength(many.length);
  });

  it("stop nobody where the stream has a message that is none: it becomes a dead letter", async () => {
    await isEmptied();
    const subject = metricCallSubject("somebody", runId);
    await service.bus.publish(subject, new TextEncoder().encode("{}"), { msgId: newId("evt") });
    await metrics.logMetrics(point(1));
    expect(await stepsOf(user)).toEqual([1]);
    await isEmptied();
    const letter = await service.bus.jsm.streams.getMessage(streamNames.deadLetters, {
      last_by_subj: `dead-letters.${streamNames.metricCalls}.tracking-calls.*`,
    });
    expect(letter?.header?.get("Trainyard-Subject")).toBe(subject);
  });

  it("are taken and read while the bus is away, and when it is back", async () => {
    const { server } = await testNats();
    await metrics.logMetrics(point(1));
    await server.kill("SIGKILL");
    for (const step of [2, 3]) {
      await metrics.logMetrics(point(step));
      expect(await stepsOf(user)).toEqual(upTo(step));
    }
    await server.restart();
    await waitFor("the bus to have a call again", async () => {
      await metrics.logMetrics(point(4, Math.random()));
      return (await messages().catch(() => 0)) > 0;
    });
    expect(new Set(await stepsOf(user))).toEqual(new Set([1, 2, 3, 4]));
    await isEmptied();
  });
});

describe("beside other replicas", () => {
  const start = (env: Readonly<Record<string, string>> = {}) => spawnTracking(service, env);
  const dying = (at: string, once: string) =>
    start({ TRAINYARD_CRASH_AT: at, TRAINYARD_CRASH_ONCE_DIR: once });
  /** Its death may come before its answer, on a busy machine to the first call: what the bus has is kept in either case. */
  const logTo = ({ metrics: dyingOnes }: TrackingProcess, step: number) =>
    dyingOnes.logMetrics(point(step)).catch(() => undefined);
  const readerOf = ({ url }: TrackingProcess) => clientOf(tracking.TrackingService, url, "user");

  it("a point that one has acknowledged is in the next read of another; what waits in one that stops is stored by it", async () => {
    const other = await start();
    const reader = await readerOf(other);
    for (const step of upTo(10)) {
      await (step % 2 === 0 ? metrics : other.metrics).logMetrics(point(step));
      expect(await stepsOf(step % 2 === 0 ? reader : user)).toEqual(upTo(step));
    }
    runId = await outsideRun();
    await Promise.all(upTo(50).map((step) => other.metrics.logMetrics(point(step))));
    await other.child.kill("SIGTERM");
    expect(await batches()).toBe(50);
    await isEmptied();
  });

  it.each(["tracking.calls.acknowledged", "tracking.calls.written"])(
    "what was acknowledged by one that dies at %s is there, once, for who asks first and for whoever repeats it",
    async (at) => {
      const life = await dying(at, tempDir("once"));
      await logTo(life, 1);
      await logTo(life, 2);
      expect(await life.child.exited).toBe("SIGKILL");
      expect((await stepsOf(user))[0]).toBe(1);
      await Promise.all([metrics.logMetrics(point(1)), metrics.logMetrics(point(2))]);
      expect(await stepsOf(user)).toEqual([1, 2]);
      await isEmptied();
      expect(await stepsOf(user)).toEqual([1, 2]);
    },
  );

  it("what one that died has acknowledged is stored also where nobody asks for it", async () => {
    const life = await dying("tracking.calls.acknowledged", tempDir("once"));
    await logTo(life, 1);
    expect(await life.child.exited).toBe("SIGKILL");
    await waitFor("the point to be stored", async () => (await batches()) === 1);
    await isEmptied();
    expect(await stepsOf(user)).toEqual([1]);
  });
});
