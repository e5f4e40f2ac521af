/** A run's points in memory, as they truly are, and what may happen to them. */
import fc from "fast-check";

export const RANKS = 2;
export const keys = ["acc", "loss", "lr"];

/** A point as a script logs it. */
export interface Point {
  readonly key: string;
  readonly step: number;
  readonly timeMs: number;
  readonly value: number;
}

/** One record of a rank's file. */
export interface FileRecord {
  readonly begin: number;
  readonly end: number;
  readonly points: readonly Point[];
}

/** What truly happened: the ranks' files, what of them was delivered, what was called, where attempts resumed. */
export class Model {
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
/** Something that happens to a run. */
export const change = fc.oneof(
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
      /** What names it; `orphan`: its points do, and the replica that has acknowledged it dies before it is written. */
      by: fc.constantFrom("id" as const, "points" as const, "orphan" as const),
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
export type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;
