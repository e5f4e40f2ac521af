import { largestRemainder } from "./largest-remainder.ts";

/** Fractions are compared in parts per billion: finer than any file has rows to show. */
const PARTS = 1e9;
/** Rows of a shard unless the contract says how many shards there are: one read of a data loader, and one row group. */
export const ROWS_PER_SHARD = 65_536;
/** Most shards of a split: a version's description has to fit into one message. */
export const MAX_SHARDS = 1_000;

/** Of one stratum (the rows with one value of the column to stratify by; all rows, without one), in the order of the rows' hashes: which go to which split. */
export interface Stretch {
  /** Place of the stratum in what was counted. */
  readonly stratum: number;
  /** Place of the split in `SplitPlan.splits`. */
  readonly split: number;
  /** From 0, inclusive. */
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

export interface SplitPlan {
  /** In the contract's order. */
  readonly splits: readonly { readonly name: string; readonly rows: number }[];
  readonly stretches: readonly Stretch[];
}

/**
 * Sizes of the splits of strata of so many rows, and in every stratum, of each split's part. The sizes are exact (largest remainder over all
 * rows); each is spread over the strata in proportion to the rows that they have left, again exactly. Splits are
 * taken in the order of their names, since a stored configuration has no other.
 */
export function planSplits(
  fractions: Readonly<Record<string, number>>,
  strata: readonly number[],
): SplitPlan {
  const order = Object.keys(fractions);
  const names = [...order].sort();
  const total = strata.reduce((sum, rows) => sum + rows, 0);
  const sizes = largestRemainder(
    total,
    names.map((name) => BigInt(Math.round((fractions[name] ?? 0) * PARTS))),
  );
  const left = [...strata];
  const stretches: Stretch[] = [];
  names.forEach((name, index) => {
    const parts = largestRemainder(sizes[index] ?? 0, left.map(BigInt));
    parts.forEach((rows, stratum) => {
      const before = left[stratum] ?? 0;
      const from = (strata[stratum] ?? 0) - before;
      if (rows > 0) stretches.push({ stratum, split: order.indexOf(name), from, to: from + rows });
      left[stratum] = before - rows;
    });
  });
  return {
    splits: order.map((name) => ({ name, rows: sizes[names.indexOf(name)] ?? 0 })),
    stretches,
  };
}

/** Rows of each shard of a split, in order; they differ by one row at most. An empty split has one empty shard. */
export function planShards(rows: number, wanted: number | undefined): readonly number[] {
  const count = Math.min(wanted ?? Math.ceil(rows / ROWS_PER_SHARD), MAX_SHARDS, rows);
  return largestRemainder(rows, new Array<bigint>(Math.max(count, 1)).fill(1n));
}
