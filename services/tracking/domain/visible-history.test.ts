import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Checkpoint } from "./checkpoint.ts";
import { type MetricBatch, trimMetricBatch } from "./metric-batch.ts";
import { pointsOf } from "./metric-summary.ts";
import type { OffsetRanges } from "./offset-ranges.ts";
import { chooseResume, resumePointOf } from "./resume-point.ts";
import { type AttemptOrigin, visibleEnd, visibleHistory } from "./visible-history.ts";

const from = (attempt: number, offset: number) => ({
  checkpointId: `ckpt_${attempt}`,
  attempt,
  step: offset,
  offsets: [{ rank: 0, offset }],
});

describe("the visible history", () => {
  const table: readonly [string, readonly AttemptOrigin[], Record<number, number>][] = [
    ["of no attempt is nothing", [], { 1: 0 }],
    ["of one attempt is all of it", [{ number: 1 }], { 1: Number.POSITIVE_INFINITY, 2: 0 }],
    [
      "has the older attempt up to the checkpoint",
      [{ number: 1 }, { number: 2, resumedFrom: from(1, 70) }],
      { 1: 70, 2: Number.POSITIVE_INFINITY },
    ],
    [
      "hides what began again at step 0",
      [{ number: 1 }, { number: 2 }],
      { 1: 0, 2: Number.POSITIVE_INFINITY },
    ],
    [
      "hides an attempt that nobody resumed from",
      [{ number: 1 }, { number: 2, resumedFrom: from(1, 70) }, { number: 3, resumedFrom: from(1, 70) }],
      { 1: 70, 2: 0, 3: Number.POSITIVE_INFINITY },
    ],
    [
      "follows checkpoints of checkpoints, in whatever order the attempts are given",
      [{ number: 3, resumedFrom: from(2, 40) }, { number: 1 }, { number: 2, resumedFrom: from(1, 70) }],
      { 1: 70, 2: 40, 3: Number.POSITIVE_INFINITY },
    ],
  ];
  it.each(table)("%s", (_, attempts, expected) => {
    const history = visibleHistory(attempts);
    for (const [attempt, end] of Object.entries(expected)) {
      expect(visibleEnd(history, Number(attempt), 0)).toBe(end);
    }
  });

  it("shows nothing of a rank that the checkpoint does not name", () => {
    const history = visibleHistory([{ number: 1 }, { number: 2, resumedFrom: from(1, 70) }]);
    expect(visibleEnd(history, 1, 5)).toBe(0);
  });

  it("has every step exactly once for any kills, checkpoints, duplicates and late batches", () => {
    fc.assert(
      fc.property(plan, (steps) => checkAgainstModel(steps)),
      { numRuns: 300 },
    );
  });
});

/** What happens to one run: for each attempt how far it gets, which of its checkpoints commit, how batches are sent. */
const plan = fc.record({
  worldSize: fc.integer({ min: 1, max: 3 }),
  totalSteps: fc.integer({ min: 1, max: 25 }),
  attempts: fc.array(
    fc.record({
      lives: fc.integer({ min: 0, max: 30 }),
      everySteps: fc.integer({ min: 1, max: 7 }),
      commits: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
      /** Bytes of records that are no metrics, before each step's record. */
      noise: fc.array(fc.nat({ max: 3 }), { minLength: 31, maxLength: 31 }),
    }),
    { maxLength: 5 },
  ),
  cuts: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 12 }),
  order: fc.array(fc.nat(), { minLength: 1, maxLength: 40 }),
});
type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never;

/** A rank's record file: where each step's record begins, and where the file ends. */
interface RecordFile {
  readonly records: { readonly step: number; readonly offset: number }[];
  end: number;
}

/** Runs the plan as a real gang would, delivers its batches in disorder, and compares with who truly computed what. */
function checkAgainstModel({ worldSize, totalSteps, attempts: lives, cuts, order }: Plan): void {
  const attempts: AttemptOrigin[] = [];
  const checkpoints: Checkpoint[] = [];
  const files = new Map<string, RecordFile>();
  /** The plain model: who computed each step for good, rewritten whenever an attempt goes back. */
  const truth: number[] = [];
  // The last attempt lives to the end.
  for (const life of [...lives, { lives: totalSteps, everySteps: 3, commits: [], noise: [] }]) {
    const number = attempts.length + 1;
    const resume = chooseResume(attempts, checkpoints);
    attempts.push(resume === undefined ? { number } : { number, resumedFrom: resumePointOf(resume) });
    const ranks = Array.from({ length: worldSize }, (): RecordFile => ({ records: [], end: 0 }));
    for (const [rank, file] of ranks.entries()) files.set(`${number}:${rank}`, file);
    const first = (resume?.step ?? 0) + 1;
    truth.length = first - 1;
    const last = Math.min(totalSteps, first - 1 + life.lives);
    for (let step = first; step <= last; step++) {
      for (const file of ranks) {
        file.end += life.noise[step] ?? 0;
        file.records.push({ step, offset: file.end });
        file.end += 2;
      }
      truth.push(number);
      if (step % life.everySteps === 0) {
        const committed = life.commits[checkpoints.length % life.commits.length] ?? true;
        checkpoints.push(checkpointOf(number, step, ranks, committed));
      }
    }
  }

  const stored = deliver(files, cuts, order);
  const history = visibleHistory(attempts);
  const visible = stored.flatMap(({ attempt, rank, pieces }) =>
    pieces.flatMap((piece) => [...pointsOf(piece, { attempt, rank }, visibleEnd(history, attempt, rank))]),
  );
  for (let rank = 0; rank < worldSize; rank++) {
    const mine = visible.filter((point) => point.rank === rank).sort((a, b) => a.step - b.step);
    expect(mine.map(({ step, attempt }) => ({ step, attempt }))).toEqual(
      truth.map((attempt, index) => ({ step: index + 1, attempt })),
    );
  }
}

function checkpointOf(
  attempt: number,
  step: number,
  ranks: readonly RecordFile[],
  committed: boolean,
): Checkpoint {
  return {
    id: `ckpt_${attempt}_${step}`,
    runId: "run_1",
    attempt,
    step,
    kind: "periodic",
    worldSize: ranks.length,
    state: committed ? "committed" : "collecting",
    parts: ranks.map((file, rank) => ({ rank, files: [], recordsOffset: file.end })),
    metrics: [],
    createdAt: new Date(0),
  };
}

/** Sends every file twice, cut differently each time, in an order that the seed chooses; stores what tracking would. */
function deliver(files: ReadonlyMap<string, RecordFile>, cuts: readonly number[], order: readonly number[]) {
  const messages = [...files].flatMap(([id, file]) =>
    [0, 1].flatMap((round) => batchesOf(file, cuts, round).map((batch) => ({ id, batch }))),
  );
  const shuffled = messages
    .map((message, index) => ({
      message,
      key: ((order[index % order.length] ?? 0) * 7919 + index * 104729) % 1009,
    }))
    .sort((a, b) => a.key - b.key)
    .map(({ message }) => message);
  const ranges = new Map<string, OffsetRanges>();
  const stored = new Map<string, MetricBatch[]>();
  for (const { id, batch } of shuffled) {
    const trimmed = trimMetricBatch(ranges.get(id) ?? [], batch);
    ranges.set(id, trimmed.ranges);
    stored.set(id, [...(stored.get(id) ?? []), ...trimmed.pieces]);
  }
  return [...stored].map(([id, pieces]) => {
    const [attempt, rank] = id.split(":").map(Number);
    return { attempt: attempt ?? 0, rank: rank ?? 0, pieces };
  });
}

function batchesOf(file: RecordFile, cuts: readonly number[], round: number): MetricBatch[] {
  const batches: MetricBatch[] = [];
  let begin = 0;
  for (let first = 0, cut = round; first < file.records.length; cut++) {
    const records = file.records.slice(first, first + (cuts[cut % cuts.length] ?? 1));
    first += records.length;
    const end = file.records[first]?.offset ?? file.end;
    batches.push({
      begin,
      end,
      keys: ["loss"],
      keyIndex: new Uint16Array(records.length),
      steps: Float64Array.from(records, ({ step }) => step),
      timesMs: Float64Array.from(records, ({ offset }) => offset),
      values: Float64Array.from(records, ({ step }) => step / 2),
      offsets: Float64Array.from(records, ({ offset }) => offset),
    });
    begin = end;
  }
  return batches;
}
