/**
 * The metric store against a plain model in memory: random batches in any order and again and again, calls, attempts that
 * resume from checkpoints, late writers that were fenced, folding and packing at any moment. After each change every kind
 * of read gives what the model has.
 */
import { deadLetterStreamSpec, declareStream } from "@trainyard/bus";
import { atFileEnd, testBus } from "@trainyard/testing";
import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import type { Deps } from "./deps.ts";
import { createCallJournal } from "./journal/call-journal.ts";
import { type CallStream, openCallStream } from "./journal/call-stream.ts";
import { readHistory } from "./operations/read-history.ts";
import { testDeps } from "./test-deps.ts";
import { compare, compareBuckets, compareSummaries, series, sorted } from "./test-metric-compare.ts";
import { change, type Point } from "./test-metric-model.ts";
import { apply, begin, deliver, fold, pack, resume, runOf, write } from "./test-metric-world.ts";

/** Later than whatever was stored, so that nothing is too young to be packed. */
const LATER_MS = 3_600_000;
/** In the test's name, so that a failure can be run again: TRAINYARD_MODEL_SEED=…; with TRAINYARD_MODEL_RUNS=1000 for long. */
const seed = Number(process.env.TRAINYARD_MODEL_SEED ?? Math.trunc(Math.random() * 2 ** 31));
const numRuns = Number(process.env.TRAINYARD_MODEL_RUNS ?? 12);

let deps: Deps;
let orphans: CallStream;

beforeAll(async () => {
  const plain = await testDeps({ now: () => new Date(Date.now() + LATER_MS) });
  const bus = await testBus();
  await declareStream(bus, deadLetterStreamSpec());
  const journal = await createCallJournal(plain, bus);
  await journal.start();
  atFileEnd(() => journal.stop(AbortSignal.timeout(5_000)));
  deps = { ...plain, journal };
  orphans = await openCallStream(bus, "dead");
});

it(
  `reads what a plain model has, after any deliveries, repetitions, calls, attempts, folds and packs (seed ${seed})`,
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 5, maxLength: 25 }), async (changes) => {
        const world = await begin(deps, orphans);
        for (const each of changes) await apply(world, each);
        await compare(world);
        await fold(world);
        await compare(world);
        await pack(world);
        await compare(world);
      }),
      { seed, numRuns, verbose: 1 },
    );
  },
  numRuns * 10_000,
);

it("reads a metric whose points are all at one step page by page, and of the chunks only what a page needs", async () => {
  const world = await begin(deps, orphans);
  const { model } = world;
  const size = 30_000;
  write(
    model,
    0,
    Array.from({ length: size }, (_, index) => [
      { key: "loss", step: 0, timeMs: 1_000 + Math.floor(index / 3), value: index },
    ]),
  );
  await deliver(world, { kind: "deliver", attempt: 0, rank: 0, from: 0, to: 1, twice: false });
  await fold(world);
  await pack(world);
  const run = await runOf(world);
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
  const world = await begin(deps, orphans);
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
      await fold(world);
      await pack(world);
    }
  }
  const full = await deps.store.collection("metric_chunks").countDocuments({ runId, open: false });
  expect(full).toBe(4);
  expect(await deps.store.collection("metric_batches").countDocuments({ runId })).toBe(0);
  const compareAll = async () => {
    for (const buckets of [7, 60, 1_000]) await compareBuckets(world, buckets);
    // Those read before are remembered.
    for (const range of [{ minStep: 1_234, maxStep: 4_321 }, { minTimeMs: 15_000 }])
      await compareBuckets(world, 1_000, range);
    await compareSummaries(world);
  };
  await compareAll();
  await resume(world, [0.37, 0]);
  await compareSummaries(world);
  await fold(world);
  await compareAll();
  expect(sorted(await series(world, { minStep: 2_000, maxStep: 3_000 }))).toEqual(
    sorted(model.visible().filter(({ step }) => step >= 2_000 && step <= 3_000)),
  );
});
