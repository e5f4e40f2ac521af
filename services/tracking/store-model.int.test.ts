/**
 * The metric store against a plain model in memory: random batches in any order and again and again, calls, attempts that
 * resume from checkpoints, late writers that were fenced, folding and packing at any moment. After each change every kind
 * of read gives what the model has.
 */
import { openBlobStore } from "@trainyard/blob";
import { newId } from "@trainyard/domain";
import { ensureIndexes, type Store } from "@trainyard/store";
import { tempDir, testLogger, testStore } from "@trainyard/testing";
import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import type { Deps } from "./deps.ts";
import type { MetricBatch } from "./domain/metric-batch.ts";
import { meanOf } from "./domain/metric-summary.ts";
import type { RunRecord } from "./domain/run-record.ts";
import { foldMetrics } from "./operations/fold-metrics.ts";
import { createMetricCalls } from "./operations/log-metrics.ts";
import { openAttempt } from "./operations/open-attempt.ts";
import { packMetrics } from "./operations/pack-metrics.ts";
import { readBuckets } from "./operations/read-buckets.ts";
import { readHistory } from "./operations/read-history.ts";
import { readSeries } from "./operations/read-series.ts";
import { reportCheckpointPart } from "./operations/report-checkpoint-part.ts";
import { runMetrics } from "./operations/run-metrics.ts";
import { createRunRoom } from "./operations/run-room.ts";
import { storeTelemetry } from "./operations/store-telemetry.ts";
import { createRunSignals } from "./run-signals.ts";
import { createRecords, recordIndexes } from "./store/records.ts";

/** Later than whatever was stored, so that nothing is too young to be packed. */
const LATER_MS = 3_600_000;
const RANKS = 2;
/** In the test's name, so that a failure can be run again: TRAINYARD_MODEL_SEED=…; with TRAINYARD_MODEL_RUNS=1000 for long. */
const seed = Number(process.env.TRAINYARD_MODEL_SEED ?? Math.trunc(Math.random() * 2 ** 31));
const numRuns = Number(process.env.TRAINYARD_MODEL_RUNS ?? 12);
const keys = ["acc", "loss", "lr"];

let deps: Deps;

beforeAll(async () => {
  const store: Store = await testStore();
  await ensureIndexes(store, recordIndexes);
  const records = createRecords(store);
  deps = {
    store,
    records,
    blobs: await openBlobStore(new URL(`file://${tempDir("blobs")}`).href),
    blobMaxBytes: 1024 ** 2,
    runRoom: createRunRoom(records.runs, 1_000_000),
    retention: {
      purgeDeletedAfterDays: 30,
      artifactDays: 0,
      checkpointDays: 0,
      keepNewestRuns: 0,
      blobGraceMs: 60_000,
    },
    archiveLogsAfterMs: 0,
    signals: createRunSignals(),
    logger: testLogger(),
    now: () => new Date(Date.now() + LATER_MS),
  };
});

interface Point {
  readonly key: string;
  readonly step: number;
  readonly timeMs: number;
  readonly value: number;
}

/** One record of a rank's file. */
interface FileRecord {
  readonly begin: number;
  readonly end: number;
  readonly points: readonly Point[];
}

/** What truly happened: the ranks' files, what of them was delivered, what was called, where attempts resumed. */
class Model {
  readonly files = new Map<string, FileRecord[]>();
  readonly delivered = new Map<string, Set<FileRecord>>();
  readonly calls: Point[] = [];
  /** By attempt from 1: the offsets of the attempt before that it resumed from; undefined for step 0. */
  readonly resumes: (readonly number[] | undefined)[] = [undefined];

  get attempt(): number {
    return this.resumes.length;
  }

  file(attempt: number, rank: number): FileRecord[] {
    const name = `${attempt}:${rank}`;
    const file = this.files.get(name) ?? [];
    this.files.set(name, file);
    return file;
  }

  deliver(attempt: number, rank: number, records: readonly FileRecord[]): void {
    const name = `${attempt}:${rank}`;
    this.delivered.set(name, new Set([...(this.delivered.get(name) ?? []), ...records]));
  }

  /** What is history of what was delivered. */
  visible(): Point[] {
    const points = [...this.calls];
    let ends: readonly number[] | undefined = Array(RANKS).fill(Number.POSITIVE_INFINITY);
    for (let attempt = this.attempt; attempt >= 1 && ends !== undefined; attempt--) {
      for (let rank = 0; rank < RANKS; rank++) {
        const end = ends[rank] ?? 0;
        for (const record of this.delivered.get(`${attempt}:${rank}`) ?? []) {
          if (record.begin < end) points.push(...record.points);
        }
      }
      ends = this.resumes[attempt - 1];
    }
    return points;
  }
}

const value = fc.oneof(
  fc.integer({ min: -800, max: 800 }).map((eighths) => eighths / 8),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
);
const point = fc.record({
  key: fc.constantFrom(...keys),
  step: fc.integer({ min: -5, max: 60 }),
  timeMs: fc.integer({ min: 1_000, max: 1_050 }),
  value,
});
const change = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      rank: fc.nat({ max: RANKS - 1 }),
      records: fc.array(fc.array(point, { maxLength: 3 }), { minLength: 1, maxLength: 40 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("deliver" as const),
      attempt: fc.nat(),
      rank: fc.nat({ max: RANKS - 1 }),
      from: fc.double({ min: 0, max: 1, noNaN: true }),
      to: fc.double({ min: 0, max: 1, noNaN: true }),
      twice: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("call" as const),
      points: fc.array(point, { minLength: 1, maxLength: 5 }),
      times: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("attempt" as const),
      resumes: fc.boolean(),
      shares: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: RANKS, maxLength: RANKS }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("fold" as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("pack" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("race" as const) }) },
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

it(
  `reads what a plain model has, after any deliveries, repetitions, calls, attempts, folds and packs (seed ${seed})`,
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 5, maxLength: 25 }), async (changes) => {
        const world = await begin();
        for (const each of changes) await apply(world, each);
        await compare(world);
        await foldMetrics(deps, world.runId);
        await compare(world);
        await pack(world.runId);
        await compare(world);
      }),
      { seed, numRuns, verbose: 1 },
    );
  },
  numRuns * 10_000,
);

it("reads a metric whose points are all at one step page by page, and of the chunks only what a page needs", async () => {
  const world = await begin();
  const { model, runId } = world;
  const size = 30_000;
  write(
    model,
    0,
    Array.from({ length: size }, (_, index) => [
      { key: "loss", step: 0, timeMs: 1_000 + Math.floor(index / 3), value: index },
    ]),
  );
  await deliver(world, { kind: "deliver", attempt: 0, rank: 0, from: 0, to: 1, twice: false });
  await foldMetrics(deps, runId);
  await pack(runId);
  const run = await runOf(runId);
  const chunks = deps.records.metricChunks;
  let read = 0;
  const readMany: typeof chunks.readMany = (ids, ...rest) => {
    read += ids.length;
    return chunks.readMany(ids, ...rest);
  };
  const counting = { ...deps, records: { ...deps.records, metricChunks: { ...chunks, readMany } } };
  const page = { points: 5_000, bytes: 1e9, bytesOf: () => 1 };
  const values: number[] = [];
  let position: Awaited<ReturnType<typeof readHistory>>["next"];
  do {
    const { points, next } = await readHistory(counting, run, { keys: [], range: {}, position }, page);
    values.push(...points.map((point) => point.value));
    position = next;
  } while (position !== undefined);
  expect(values).toEqual(Array.from({ length: size }, (_, index) => index));
  // Eight chunks; six pages that each began with the first of them would read 48.
  expect(read).toBeLessThan(40);
}, 60_000);

it("reads long series packed into full chunks as the model has them, also when an attempt resumes in their middle", async () => {
  const world = await begin();
  const { model, runId } = world;
  // Out of order now and then, with repeated steps, and values that are no numbers.
  const recordOf = (index: number): Point[] => {
    const step = index % 97 === 0 ? index - 40 : Math.floor(index / 2);
    const number =
      index % 401 === 0 ? Number.NaN : index % 733 === 0 ? Number.POSITIVE_INFINITY : (index * 7_919) % 1_000;
    return [{ key: "loss", step, timeMs: 1_000 + index, value: number }];
  };
  write(
    model,
    0,
    Array.from({ length: 20_000 }, (_, index) => recordOf(index)),
  );
  for (let from = 0; from < 20; from++) {
    await deliver(world, {
      kind: "deliver",
      attempt: 0,
      rank: 0,
      from: from / 20,
      to: (from + 1) / 20,
      twice: false,
    });
    if (from % 5 === 4) {
      await foldMetrics(deps, runId);
      await pack(runId);
    }
  }
  const full = await deps.store.collection("metric_chunks").countDocuments({ runId, open: false });
  expect(full).toBe(4);
  expect(await deps.store.collection("metric_batches").countDocuments({ runId })).toBe(0);
  for (const buckets of [7, 60, 1_000]) await compareBuckets(await runOf(runId), model.visible(), buckets);
  await compareSummaries(await runOf(runId), model.visible());
  await resume(world, [0.37, 0]);
  await compareSummaries(await runOf(runId), model.visible());
  await foldMetrics(deps, runId);
  for (const buckets of [7, 60, 1_000]) await compareBuckets(await runOf(runId), model.visible(), buckets);
  await compareSummaries(await runOf(runId), model.visible());
  expect(sorted(await series(await runOf(runId), { minStep: 2_000, maxStep: 3_000 }))).toEqual(
    sorted(model.visible().filter(({ step }) => step >= 2_000 && step <= 3_000)),
  );
});

interface World {
  readonly model: Model;
  readonly runId: string;
  readonly jobId: string;
}

async function begin(): Promise<World> {
  const world = { model: new Model(), runId: newId("run"), jobId: newId("job") };
  await openAttempt(deps, { ...world, project: "default", actor: "service:scheduler", attempt: 1 });
  return world;
}

async function apply(world: World, each: Change): Promise<void> {
  const { model, runId } = world;
  switch (each.kind) {
    case "write":
      return write(model, each.rank, each.records);
    case "deliver":
      return deliver(world, each);
    case "call":
      return call(world, each.points, each.times);
    case "attempt":
      return resume(world, each.resumes ? each.shares : undefined);
    case "fold":
      return foldMetrics(deps, runId);
    case "pack":
      return pack(runId);
    case "race":
      // As replicas that disagree for a moment about whose run it is.
      await Promise.all([1, 2].flatMap(() => [foldMetrics(deps, runId), pack(runId)]));
  }
}

const pack = (runId: string) => packMetrics(deps, runId, new AbortController().signal);

function write(model: Model, rank: number, records: readonly (readonly Point[])[]): void {
  const file = model.file(model.attempt, rank);
  for (const points of records) {
    const begin = file.at(-1)?.end ?? 0;
    // Points of one record have its step and time.
    const { step = 0, timeMs = 0 } = points[0] ?? {};
    const byKey = new Map(points.map((each) => [each.key, { ...each, step, timeMs }]));
    file.push({ begin, end: begin + 7 + points.length, points: [...byKey.values()] });
  }
}

async function deliver(world: World, each: Extract<Change, { kind: "deliver" }>): Promise<void> {
  const { model, runId } = world;
  const attempt = (each.attempt % model.attempt) + 1;
  const file = model.file(attempt, each.rank);
  const [low, high] = [Math.min(each.from, each.to), Math.max(each.from, each.to)];
  const records = file.slice(Math.floor(low * file.length), Math.ceil(high * file.length));
  if (records.length === 0) return;
  const source = { runId, attempt, rank: each.rank, kind: "records" as const };
  const item = { source, project: "default", kind: "metrics" as const, batch: batchOf(records) };
  // Twice in one group is how it comes when an answer was lost.
  expect(await storeTelemetry(deps, each.twice ? [item, item] : [item])).not.toContain("too-many-gaps");
  model.deliver(attempt, each.rank, records);
}

function batchOf(records: readonly FileRecord[]): MetricBatch {
  const all = records.flatMap((record) => record.points.map((each) => ({ ...each, offset: record.begin })));
  return {
    begin: records[0]?.begin ?? 0,
    end: records.at(-1)?.end ?? 0,
    keys,
    keyIndex: Uint16Array.from(all, ({ key }) => keys.indexOf(key)),
    steps: Float64Array.from(all, ({ step }) => step),
    timesMs: Float64Array.from(all, ({ timeMs }) => timeMs),
    values: Float64Array.from(all, (each) => each.value),
    offsets: Float64Array.from(all, ({ offset }) => offset),
  };
}

async function call({ model, runId }: World, points: readonly Point[], times: number): Promise<void> {
  const run = await runOf(runId);
  const requestId = newId("req");
  const batch = batchOf([{ begin: 0, end: 0, points }]);
  const calls = createMetricCalls(deps);
  await Promise.all(
    Array.from({ length: times }, () => calls.log({ run, points: batch, actor: "user:ada", requestId })),
  );
  model.calls.push(...points);
}

async function resume({ model, runId, jobId }: World, shares: readonly number[] | undefined): Promise<void> {
  const attempt = model.attempt;
  const ends = shares?.map((share, rank) => {
    const file = model.file(attempt, rank);
    return file[Math.floor(share * file.length) - 1]?.end ?? 0;
  });
  for (const [rank, recordsOffset] of ends?.entries() ?? []) {
    await reportCheckpointPart(deps, {
      runId,
      attempt,
      actor: "agent:n1",
      worldSize: RANKS,
      step: 1_000 + attempt,
      kind: "periodic",
      part: { rank, recordsOffset, files: [] },
      metrics: [],
    });
  }
  const opened = { runId, jobId, project: "default", actor: "service:scheduler", attempt: attempt + 1 };
  const from = await openAttempt(deps, opened);
  // Without a checkpoint of its own, an older one in the history may still be the newest.
  model.resumes.push(
    from?.attempt === attempt ? from.parts.map(({ recordsOffset }) => recordsOffset) : undefined,
  );
  if (from !== undefined && from.attempt !== attempt) throw new fc.PreconditionFailure();
}

async function runOf(runId: string): Promise<RunRecord> {
  const run = await deps.records.runs.find(runId);
  if (run === undefined) throw new Error("no run");
  return run;
}

const text = ({ key, step, timeMs, value: number }: Point) => `${key} ${step} ${timeMs} ${number}`;
const sorted = (points: readonly Point[]) => points.map(text).sort();

async function compare({ model, runId }: World): Promise<void> {
  const run = await runOf(runId);
  const visible = model.visible();
  expect(sorted(await history(run, {}))).toEqual(sorted(visible));
  const range = { minStep: 10, maxStep: 30 };
  const inside = visible.filter(({ step }) => step >= 10 && step <= 30);
  expect(sorted(await history(run, range))).toEqual(sorted(inside));
  expect(sorted(await series(run, {}))).toEqual(sorted(visible));
  expect(sorted(await series(run, range))).toEqual(sorted(inside));
  await compareSummaries(run, visible);
  await compareBuckets(run, visible);
}

async function history(run: RunRecord, range: { minStep?: number; maxStep?: number }): Promise<Point[]> {
  const points: Point[] = [];
  let position: Awaited<ReturnType<typeof readHistory>>["next"];
  do {
    const page = await readHistory(
      deps,
      run,
      { keys: [], range, position },
      { points: 50, bytes: 1e9, bytesOf: () => 1 },
    );
    points.push(...page.points);
    position = page.next;
  } while (position !== undefined);
  return points;
}

async function series(run: RunRecord, range: { minStep?: number; maxStep?: number }): Promise<Point[]> {
  const found = await readSeries(deps, run, { keys, range }, 1_000_000);
  return [...found].flatMap(([key, { steps, timesMs, values }]) =>
    Array.from(steps, (step, index) => ({
      key,
      step,
      timeMs: timesMs[index] ?? 0,
      value: values[index] ?? 0,
    })),
  );
}

async function compareSummaries(run: RunRecord, visible: readonly Point[]): Promise<void> {
  const found = await runMetrics(deps, run);
  expect(found.map(({ last }) => last.key)).toEqual([...new Set(visible.map(({ key }) => key))].sort());
  for (const summary of found) {
    const points = visible.filter(({ key }) => key === summary.last.key);
    const numbers = points.filter((each) => !Number.isNaN(each.value));
    const extreme = (best: number) => ({
      value: numbers.length === 0 ? Number.NaN : best,
      step:
        numbers.length === 0
          ? 0
          : Math.min(...numbers.filter((each) => each.value === best).map(({ step }) => step)),
    });
    expect({ ...summary, sum: meanOf(summary), first: summary.first.step, last: summary.last.step }).toEqual({
      count: points.length,
      nanCount: points.length - numbers.length,
      min: extreme(Math.min(...numbers.map((each) => each.value))),
      max: extreme(Math.max(...numbers.map((each) => each.value))),
      sum: numbers.reduce((sum, each) => sum + each.value, 0) / numbers.length,
      first: Math.min(...points.map(({ step }) => step)),
      last: Math.max(...points.map(({ step }) => step)),
    });
  }
}

async function compareBuckets(run: RunRecord, visible: readonly Point[], count = 7): Promise<void> {
  for (const axis of ["step", "time"] as const) {
    const found = await readBuckets(deps, run, { keys, range: {}, buckets: count, axis });
    for (const [key, buckets] of found) {
      const points = visible.filter((each) => each.key === key);
      const finite = points.map((each) => each.value).filter(Number.isFinite);
      const known = new Set(points.map(text));
      expect(buckets.reduce((sum, bucket) => sum + bucket.count, 0)).toBe(points.length);
      expect(buckets.reduce((sum, { nanCount }) => sum + nanCount, 0)).toBe(
        points.filter((each) => Number.isNaN(each.value)).length,
      );
      for (const [name, best] of [
        ["min", Math.min(...finite)],
        ["max", Math.max(...finite)],
      ] as const) {
        const kept = buckets.map((bucket) => bucket[name].value).filter(Number.isFinite);
        if (finite.length > 0) expect(name === "min" ? Math.min(...kept) : Math.max(...kept)).toBe(best);
        for (const bucket of buckets) {
          if (Number.isFinite(bucket[name].value))
            expect(known.has(text({ key, ...bucket[name] }))).toBe(true);
        }
      }
      for (const bucket of buckets) expect(known.has(text({ key, ...bucket.first }))).toBe(true);
      for (const bucket of buckets) expect(known.has(text({ key, ...bucket.last }))).toBe(true);
    }
  }
}
