import type { Deps } from "../deps.ts";
import { pointsOf } from "../domain/metric-summary.ts";
import { coversExtent, isInRange, type PointRange } from "../domain/point-range.ts";
import type { RunRecord } from "../domain/run-record.ts";
import type { PointColumns } from "../domain/series-buckets.ts";
import { inOrder } from "../domain/series-order.ts";
import { SeriesPieces } from "../domain/series-pieces.ts";
import { type VisibleHistory, visibleEnd, visibleHistory } from "../domain/visible-history.ts";
import type { ChunkHead } from "../store/metric-chunks.ts";
import type { Scope } from "../store/session.ts";

/** What of some series of a run to read. */
export interface SeriesQuery {
  readonly keys: readonly string[];
  readonly rank?: number | undefined;
  readonly range: PointRange;
}

/** Chunks read at once, before it is looked whether they were enough. */
const CHUNKS_AT_ONCE = 32;

/**
 * The visible points of each metric that has some, by step, then time: at least the first `limit` of each and one more, if
 * there are so many. Each metric's chunks are read in the order of their lowest step and no further than needed.
 */
export async function readSeries(
  deps: Deps,
  run: RunRecord,
  query: SeriesQuery,
  limit: number,
): Promise<Map<string, PointColumns>> {
  const history = visibleHistory(run.attempts);
  return deps.store.snapshot(async (moment) => {
    const series = new Map<string, PointColumns>();
    const fresh = await freshPieces(deps, run, query, moment);
    for (const key of new Set(query.keys)) {
      const pieces = fresh.get(key) ?? new SeriesPieces();
      const found = { runId: run.id, history, keys: [key], rank: query.rank, range: query.range };
      const heads = await deps.records.metricChunks.heads(found, moment);
      for (let from = 0; from < heads.length; from += CHUNKS_AT_ONCE) {
        if (pieces.settledBelow(heads[from]?.stepLow ?? 0) > limit) break;
        await addChunks(
          deps,
          heads.slice(from, from + CHUNKS_AT_ONCE),
          new Map([[key, pieces]]),
          query,
          history,
          moment,
        );
      }
      if (pieces.count > 0) series.set(key, inOrder(pieces.joined()));
    }
    return series;
  });
}

/** The points that are not packed yet, by metric. */
export async function freshPieces(
  deps: Deps,
  run: RunRecord,
  { keys, rank, range }: SeriesQuery,
  scope: Scope,
): Promise<Map<string, SeriesPieces>> {
  const history = visibleHistory(run.attempts);
  const byKey = new Map(keys.map((key) => [key, new SeriesPieces()]));
  const found = { runId: run.id, history, keys, ...(rank === undefined ? {} : { rank }) };
  for await (const { source, batch } of deps.records.metrics.read(found, scope)) {
    for (const point of pointsOf(batch, source, visibleEnd(history, source.attempt, source.rank))) {
      if (isInRange(range, point.step, point.timeMs))
        byKey.get(point.key)?.add(point.step, point.timeMs, point.value);
    }
  }
  return byKey;
}

/** Adds the points of chunks to the metrics they are of: whole columns where all of a chunk is visible and in the range. */
export async function addChunks(
  deps: Deps,
  heads: readonly ChunkHead[],
  byKey: ReadonlyMap<string, SeriesPieces>,
  { range }: Pick<SeriesQuery, "range">,
  history: VisibleHistory,
  scope: Scope,
): Promise<void> {
  const { metricChunks } = deps.records;
  const wanted = new Set(byKey.keys());
  const endOf = ({ source }: ChunkHead) => visibleEnd(history, source.attempt, source.rank);
  const isWhole = (head: ChunkHead) => head.offsetHigh < endOf(head) && coversExtent(range, head);
  for await (const columns of metricChunks.columns(heads.filter(isWhole), wanted, scope)) {
    for (const each of columns) byKey.get(each.key)?.addColumns(each);
  }
  const cut = new Map(heads.filter((head) => !isWhole(head)).map((head) => [head.id, endOf(head)]));
  if (cut.size === 0) return;
  for await (const { id, segments } of metricChunks.segments([...cut.keys()], wanted, scope)) {
    const end = cut.get(id) ?? 0;
    for (const { key, steps, timesMs, values, offsets } of segments) {
      const pieces = byKey.get(key);
      values.forEach((value, index) => {
        const [step = 0, timeMs = 0] = [steps[index], timesMs[index]];
        if ((offsets[index] ?? 0) < end && isInRange(range, step, timeMs)) pieces?.add(step, timeMs, value);
      });
    }
  }
}
