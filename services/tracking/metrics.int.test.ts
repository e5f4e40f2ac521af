import { create } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { fromConnectError } from "@trainyard/service";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { MAX_KEY_CHARACTERS, MAX_POINTS_PER_BATCH, MAX_POINTS_PER_STREAM } from "./domain/limits.ts";
import {
  aJob,
  type MetricClient,
  project,
  startTracking,
  type TestTracking,
  type TrackingClient,
} from "./test-service.ts";

let service: TestTracking;
let user: TrackingClient;
let leader: TrackingClient;
let metrics: MetricClient;
let runId: string;

beforeAll(async () => {
  service = await startTracking();
  [user, leader, metrics] = await Promise.all([
    service.as("user"),
    service.as("scheduler"),
    service.metrics(),
  ]);
});

beforeEach(async () => {
  const job = aJob();
  runId = job.runId;
  await leader.openAttempt({ runId, jobId: job.id, attempt: 1, project });
});

/** Points of one metric. */
const columns = (
  key: string,
  points: readonly (readonly [step: number, value: number, timeMs?: number])[],
) => ({
  keys: [key],
  keyIndex: points.map(() => 0),
  steps: points.map(([step]) => BigInt(step)),
  timesMs: points.map(([step, , timeMs]) => timeMs ?? 1_000 + step),
  values: points.map(([, value]) => value),
});

const refusal = (call: Promise<unknown>) =>
  call.then(
    () => "answered",
    (error: unknown) => fromConnectError(error).reason,
  );

describe("metrics by call", () => {
  it("are in the history, the series and the summary of the very next read", async () => {
    const points = columns("loss", [
      [3, Number.NaN],
      [-2, 4.5],
      [3, Number.POSITIVE_INFINITY, 5_000],
      [1, 0.25],
      [1, 0.25],
    ]);
    expect(await metrics.logMetrics({ runId, points })).toMatchObject({ stored: 5n });
    const history = await user.getMetricHistory({ runId });
    expect(history.points.map(({ step, value, rank, attempt }) => [step, value, rank, attempt])).toEqual([
      [-2n, 4.5, -1, 1],
      [1n, 0.25, -1, 1],
      [1n, 0.25, -1, 1],
      [3n, Number.NaN, -1, 1],
      [3n, Number.POSITIVE_INFINITY, -1, 1],
    ]);
    const { series } = await metrics.getSeries({ runIds: [runId], keys: ["loss", "unknown"] });
    expect(series.map(({ key, points: found }) => [key, found?.steps, found?.values])).toEqual([
      ["loss", [-2n, 1n, 1n, 3n, 3n], [4.5, 0.25, 0.25, Number.NaN, Number.POSITIVE_INFINITY]],
    ]);
    const { run } = await user.getRun({ runId });
    expect(run?.metrics.loss).toMatchObject({
      first: 4.5,
      firstStep: -2n,
      last: Number.POSITIVE_INFINITY,
      lastStep: 3n,
      lastTimeMs: 5_000,
      min: 0.25,
      minStep: 1n,
      max: Number.POSITIVE_INFINITY,
      maxStep: 3n,
      mean: Number.POSITIVE_INFINITY,
      count: 5n,
      nanCount: 1n,
    });
    expect((await metrics.getSummaries({ runIds: [runId] })).runs[0]?.metrics.loss).toEqual(
      run?.metrics.loss,
    );
  });

  it("are stored once by one request id, and refused with other points under it", async () => {
    const request = { requestId: newId("req"), runId, points: columns("loss", [[1, 1]]) };
    const answers = await Promise.all([metrics.logMetrics(request), metrics.logMetrics(request)]);
    expect(answers.map(({ stored }) => stored).sort()).toEqual([0n, 1n]);
    expect(await metrics.logMetrics(request)).toMatchObject({ stored: 0n });
    expect(await refusal(metrics.logMetrics({ ...request, points: columns("loss", [[1, 2]]) }))).toBe(
      "REQUEST_ID_REUSED",
    );
    expect((await user.getMetricHistory({ runId })).points).toHaveLength(1);
  });

  it("of many callers and runs at once are all there", async () => {
    const other = aJob();
    await leader.openAttempt({ runId: other.runId, jobId: other.id, attempt: 1, project });
    const runs = [runId, other.runId];
    await Promise.all(
      Array.from({ length: 60 }, (_, step) =>
        metrics.logMetrics({ runId: runs[step % 2] ?? "", points: columns("loss", [[step, step]]) }),
      ),
    );
    for (const [parity, id] of runs.entries()) {
      const { points } = await user.getMetricHistory({ runId: id });
      expect(points.map(({ step }) => Number(step))).toEqual(
        Array.from({ length: 30 }, (_, index) => index * 2 + parity),
      );
    }
  });

  it("come as a stream, whose batches are stored once however often they are sent", async () => {
    const requestId = newId("req");
    async function* batches(from: number, to: number) {
      for (let batch = from; batch < to; batch++) {
        const points = columns("loss", [[batch, batch]]);
        yield create(tracking.LogMetricStreamRequestSchema, { requestId, runId, batch, points });
      }
    }
    expect(await metrics.logMetricStream(batches(0, 3))).toMatchObject({ stored: 3n, repeated: 0n });
    expect(await metrics.logMetricStream(batches(1, 5))).toMatchObject({ stored: 2n, repeated: 2n });
    expect((await user.getMetricHistory({ runId })).points).toHaveLength(5);
  });

  it("name what is wrong with them", async () => {
    const log = (points: ReturnType<typeof columns>, id = runId) =>
      refusal(metrics.logMetrics({ runId: id, points }));
    expect(await log(columns("loss", [[1, 1]]), newId("run"))).toBe("RUN_NOT_FOUND");
    expect(await log(columns("", [[1, 1]]))).toBe("METRIC_KEY_INVALID");
    expect(await log(columns("k".repeat(MAX_KEY_CHARACTERS), [[1, 1]]))).toBe("answered");
    expect(await log(columns("k".repeat(MAX_KEY_CHARACTERS + 1), [[1, 1]]))).toBe("METRIC_KEY_INVALID");
    expect(await log({ ...columns("loss", [[1, 1]]), keyIndex: [1] })).toBe("METRIC_COLUMNS_DIFFER");
    expect(await log({ ...columns("loss", [[1, 1]]), timesMs: [] })).toBe("METRIC_COLUMNS_DIFFER");
    expect(await log({ ...columns("loss", [[1, 1]]), steps: [2n ** 53n] })).toBe("METRIC_STEP_INVALID");
    const many = Array.from({ length: MAX_POINTS_PER_BATCH + 1 }, () => [1, 1] as const);
    expect(await log(columns("loss", many))).toBe("TOO_MANY_POINTS");
    const keys = Array.from({ length: 4_097 }, (_, index) => `k${index}`);
    expect(await log({ ...columns("loss", [[1, 1]]), keys })).toBe("TOO_MANY_KEYS");
    const full = columns("loss", many.slice(1));
    const requestId = newId("req");
    async function* tooMany() {
      // What is known counts as well, so one batch again and again is enough, and hardly costs the database anything.
      for (let sent = 0; sent <= MAX_POINTS_PER_STREAM; sent += MAX_POINTS_PER_BATCH) {
        yield create(tracking.LogMetricStreamRequestSchema, { requestId, runId, batch: 0, points: full });
      }
    }
    const stream = metrics.logMetricStream(tooMany(), { timeoutMs: 150_000 });
    expect(await refusal(stream)).toBe("TOO_MANY_POINTS");
    const ids = Array.from({ length: 101 }, () => runId);
    expect(await refusal(metrics.getSeries({ runIds: ids, keys: ["loss"] }))).toBe("SERIES_LIMIT");
    expect(await refusal(metrics.getSeries({ runIds: [runId], keys: [] }))).toBe("SERIES_LIMIT");
  });

  it("reach a live tail, beside what ranks log", async () => {
    const stop = new AbortController();
    const tail = user.tailRun({ runId }, { signal: stop.signal, timeoutMs: 0 })[Symbol.asyncIterator]();
    await tail.next();
    await metrics.logMetrics({ runId, points: columns("loss", [[7, 0.5]]) });
    const { value } = await tail.next();
    expect(value.points).toMatchObject([{ key: "loss", step: 7n, value: 0.5, rank: -1 }]);
    stop.abort();
    await tail.next().catch(() => undefined);
  });
});

describe("a series for a chart", () => {
  it("keeps the first, last, smallest and largest point of each bucket and counts what is not finite", async () => {
    const points = Array.from(
      { length: 1_000 },
      (_, step) => [step, Math.sin(step / 50)] as [number, number],
    );
    points[321] = [321, 99];
    points[322] = [322, Number.NaN];
    points[700] = [700, Number.NEGATIVE_INFINITY];
    await metrics.logMetrics({ runId, points: columns("loss", points) });
    const { series } = await metrics.getSeries({ runIds: [runId], keys: ["loss"], buckets: 10 });
    const buckets = series[0]?.buckets;
    expect(buckets?.counts.map(Number)).toEqual(Array(10).fill(100));
    expect(buckets?.max?.values[3]).toBe(99);
    expect(buckets?.max?.steps[3]).toBe(321n);
    expect(buckets?.nanCounts.map(Number)).toEqual([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    expect(buckets?.negativeInfinityCounts.map(Number)).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
    expect(buckets?.first?.steps.map(Number)).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
    expect(buckets?.min?.values.every(Number.isFinite)).toBe(true);
  });

  it("comes with those of other metrics and runs in one call, by run and key as asked for", async () => {
    const other = aJob();
    await leader.openAttempt({ runId: other.runId, jobId: other.id, attempt: 1, project });
    const runIds = [other.runId, runId];
    for (const [index, id] of runIds.entries()) {
      for (const key of ["loss", "acc"])
        await metrics.logMetrics({
          runId: id,
          points: columns(key, [
            [index, index],
            [index + 1, 0.5],
          ]),
        });
    }
    const keys = ["acc", "loss"];
    for (const buckets of [0, 4]) {
      const { series } = await metrics.getSeries({ runIds, keys, buckets });
      expect(series.map(({ runId: id, key }) => [id, key])).toEqual(
        runIds.flatMap((id) => keys.map((key) => [id, key])),
      );
      expect(series[3]).toMatchObject(
        buckets === 0 ? { points: { values: [1, 0.5] } } : { buckets: { max: { values: [1, 0.5] } } },
      );
    }
  });

  it("is cut to a range, and goes on at the step that was left out", async () => {
    const points = Array.from({ length: 10 }, (_, index) => [Math.floor(index / 2), index] as const);
    await metrics.logMetrics({ runId, points: columns("loss", points) });
    const ask = { runIds: [runId], keys: ["loss"], maxPoints: 5, minStep: 1n };
    const first = (await metrics.getSeries(ask)).series[0];
    expect([first?.points?.values, first?.nextStep]).toEqual([[2, 3, 4, 5], 3n]);
    const second = (await metrics.getSeries({ ...ask, minStep: first?.nextStep ?? 0n })).series[0];
    expect([second?.points?.values, second?.nextStep]).toEqual([[6, 7, 8, 9], undefined]);
  });

  it("says so when one step alone has more points than a call may have, and leaves out no step of another metric", async () => {
    const points = [1, 1, 1, 1, 2].map((step, index) => [step, index] as const);
    for (const key of ["acc", "loss"]) await metrics.logMetrics({ runId, points: columns(key, points) });
    const read = async (keys: string[], maxPoints: number, minStep = 0n) =>
      (await metrics.getSeries({ runIds: [runId], keys, maxPoints, minStep })).series.map(
        ({ points: found, nextStep, truncated }) => [found?.values, nextStep, truncated],
      );
    expect(await read(["loss"], 3)).toEqual([[[0, 1, 2], 2n, true]]);
    expect(await read(["loss"], 3, 2n)).toEqual([[[4], undefined, false]]);
    // The second metric finds no room for its first step: that is left for the next call, whole.
    for (const maxPoints of [5, 6]) {
      expect(await read(["acc", "loss"], maxPoints)).toEqual([
        [[0, 1, 2, 3, 4], undefined, false],
        [[], 1n, false],
      ]);
    }
  });
});
