import type { Deps } from "../deps.ts";
import {
  compareByStep,
  firstPage,
  type HistoryPage,
  type HistoryPosition,
  isFrom,
  type PageLimits,
} from "../domain/history-page.ts";
import type { MetricPoint } from "../domain/metric-point.ts";
import { pointsOf } from "../domain/metric-summary.ts";
import { isInRange, type PointRange } from "../domain/point-range.ts";
import type { RunRecord } from "../domain/run-record.ts";
import { visibleEnd, visibleHistory } from "../domain/visible-history.ts";
import type { StoredBatch } from "../store/metric-batches.ts";

/** Which points of a run, and from where on. */
export interface HistoryQuery {
  readonly keys: readonly string[];
  readonly rank?: number | undefined;
  readonly range: PointRange;
  readonly position?: HistoryPosition | undefined;
}

/** Chunks read at once: each may have a few thousand points. */
const CHUNKS_AT_ONCE = 16;

/**
 * One page of the visible points of some metrics, the first by step. Chunks are read in the order of their lowest step and
 * no further than the page needs, so memory and time follow the page and not the run.
 */
export async function readHistory(
  deps: Deps,
  run: RunRecord,
  query: HistoryQuery,
  limits: PageLimits,
): Promise<HistoryPage> {
  const { keys, rank, position } = query;
  const history = visibleHistory(run.attempts);
  const range = { ...query.range, ...fromStep(query) };
  const wanted = new Set(keys);
  const enough = limits.points + (position?.skip ?? 0) + 1;
  let points: MetricPoint[] = [];
  const take = ({ source, batch }: StoredBatch) => {
    for (const point of pointsOf(batch, source, visibleEnd(history, source.attempt, source.rank))) {
      if (wanted.size > 0 && !wanted.has(point.key)) continue;
      if (isInRange(range, point.step, point.timeMs) && isFrom(position, point)) points.push(point);
    }
    if (points.length > 4 * enough) points = points.sort(compareByStep).slice(0, enough);
  };
  const { metrics, metricChunks } = deps.records;
  const found = { runId: run.id, history, keys, ...(rank === undefined ? {} : { rank }) };
  await deps.store.snapshot(async (moment) => {
    points = [];
    for await (const batch of metrics.read(found, moment)) take(batch);
    const heads = await metricChunks.heads({ ...found, range }, moment);
    for (let from = 0; from < heads.length; from += CHUNKS_AT_ONCE) {
      const next = heads[from]?.stepLow ?? 0;
      if (points.reduce((count, { step }) => count + Number(step < next), 0) >= enough) break;
      const ids = heads.slice(from, from + CHUNKS_AT_ONCE).map(({ id }) => id);
      for await (const batch of metricChunks.readMany(ids, wanted, moment)) take(batch);
    }
  });
  return firstPage(points, position, limits);
}

function fromStep({ position, range }: HistoryQuery): PointRange {
  if (position === undefined) return {};
  return { minStep: Math.max(position.step, range.minStep ?? position.step) };
}
