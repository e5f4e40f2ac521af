import type { Deps } from "../deps.ts";
import { BLOCK_POINTS, type BlockStatistics } from "../domain/block-statistics.ts";
import { coversExtent, type PointExtent } from "../domain/point-range.ts";
import type { RunRecord } from "../domain/run-record.ts";
import { type PointStatistics, type SeriesAxis, SeriesBuckets } from "../domain/series-buckets.ts";
import { SeriesPieces } from "../domain/series-pieces.ts";
import { type VisibleHistory, visibleEnd, visibleHistory } from "../domain/visible-history.ts";
import type { ChunkHead } from "../store/metric-chunks.ts";
import { addChunks, freshPieces, type SeriesQuery } from "./read-series.ts";

/** How many series to cut into how many parts. */
export interface BucketQuery extends SeriesQuery {
  readonly buckets: number;
  readonly axis: SeriesAxis;
}

/** A block that is at most so wide a part of a bucket goes into it as a whole. */
const BLOCKS_PER_BUCKET = 3;

/**
 * Some metrics as buckets for a chart. Of a chunk whose blocks are much narrower than a bucket the statistics are enough
 * and its points are not read; points are, where blocks are wide, cut by the range, or only partly history.
 */
export async function readBuckets(
  deps: Deps,
  run: RunRecord,
  query: BucketQuery,
): Promise<Map<string, PointStatistics[]>> {
  const { keys, rank, range, axis, buckets } = query;
  const history = visibleHistory(run.attempts);
  return deps.store.snapshot(async (moment) => {
    const found = { runId: run.id, history, keys, rank, range };
    const byKey = await freshPieces(deps, run, query, moment);
    const heads = await deps.records.metricChunks.heads(found, moment);
    const { whole, parts } = divide(heads, query, history);
    await addChunks(deps, parts, byKey, query, history, moment);
    const cut = new Map<string, SeriesBuckets>();
    const wide: ChunkHead[] = [];
    for (const key of byKey.keys()) {
      const ofKey = whole.filter((head) => head.keys[0] === key);
      const extent = extentOfAll([...ofKey, byKey.get(key)?.extent()]);
      if (extent === undefined) continue;
      const collected = new SeriesBuckets(axis, rangeOf(extent, axis), buckets);
      cut.set(key, collected);
      for (const head of ofKey) {
        const blocks = narrowBlocks(head, axis, collected.width);
        if (blocks === undefined) wide.push(head);
        else for (const block of blocks) collected.addStatistics(block);
      }
    }
    await addChunks(deps, wide, byKey, query, history, moment);
    return new Map([...cut].map(([key, collected]) => [key, fill(collected, byKey.get(key))]));
  });
}

/** Chunks that count as they are, and those whose points have to be looked at. */
function divide(heads: readonly ChunkHead[], { range }: SeriesQuery, history: VisibleHistory) {
  const isWhole = (head: ChunkHead) =>
    head.blocks !== undefined &&
    head.offsetHigh < visibleEnd(history, head.source.attempt, head.source.rank) &&
    coversExtent(range, head);
  return { whole: heads.filter(isWhole), parts: heads.filter((head) => !isWhole(head)) };
}

/** The chunk's blocks where all are much narrower than a bucket. Where they cannot be on average, they are not even decoded. */
function narrowBlocks(
  head: ChunkHead,
  axis: SeriesAxis,
  width: number,
): readonly BlockStatistics[] | undefined {
  const { low, high } = rangeOf(head, axis);
  const count = Math.ceil((head.counts[0] ?? 0) / BLOCK_POINTS);
  if ((high - low) / count > width / BLOCKS_PER_BUCKET) return undefined;
  const blocks = head.blocks?.();
  return blocks?.every((block) => isNarrow(block, axis, width)) ? blocks : undefined;
}

function isNarrow(block: BlockStatistics, axis: SeriesAxis, width: number): boolean {
  const { first, last, timeLow, timeHigh } = block;
  const most = width / BLOCKS_PER_BUCKET;
  if (axis === "step") return last.step - first.step <= most;
  // First and last go by step; only where times rise with it are they the first and last in time.
  return first.timeMs === timeLow && last.timeMs === timeHigh && timeHigh - timeLow <= most;
}

function extentOfAll(extents: readonly (PointExtent | undefined)[]): PointExtent | undefined {
  return extents.reduce((all, each) => {
    if (all === undefined || each === undefined) return all ?? each;
    return {
      stepLow: Math.min(all.stepLow, each.stepLow),
      stepHigh: Math.max(all.stepHigh, each.stepHigh),
      timeLow: Math.min(all.timeLow, each.timeLow),
      timeHigh: Math.max(all.timeHigh, each.timeHigh),
    };
  }, undefined);
}

function rangeOf({ stepLow, stepHigh, timeLow, timeHigh }: PointExtent, axis: SeriesAxis) {
  return axis === "step" ? { low: stepLow, high: stepHigh } : { low: timeLow, high: timeHigh };
}

function fill(collected: SeriesBuckets, pieces = new SeriesPieces()): PointStatistics[] {
  for (const columns of pieces.pieces()) collected.addColumns(columns);
  return [...collected.statistics()];
}
