import type { Deps } from "../deps.ts";
import {
  compareByStep,
  comparePlaces,
  firstPage,
  type HistoryPage,
  type HistoryPlace,
  type HistoryPosition,
  isFrom,
  type PageLimits,
} from "../domain/history-page.ts";
import type { MetricPoint } from "../domain/metric-point.ts";
import { pointsOf } from "../domain/metric-summary.ts";
import { isInRange, type PointRange } from "../domain/point-range.ts";
import type { RunRecord } from "../domain/run-record.ts";
import { visibleEnd, visibleHistory } from "../domain/visible-history.ts";
import type { StoredBatch } from "../store/metric-batch-document.ts";
import type { ChunkHead } from "../store/metric-chunks.ts";

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
 * One page of the visible points of some metrics, the first by step. Chunks are read in the order of the lowest place that
 * they may hold, not those that end before the page, and no further than it needs, so memory and time follow the page and
 * not the run.
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
    const heads = (await metricChunks.heads({ ...found, range }, moment))
      .filter((head) => position === undefined || comparePlaces(highest(head), position) >= 0)
      .sort((a, b) => comparePlaces(lowest(a), lowest(b)));
    for (let from = 0; from < heads.length; from += CHUNKS_AT_ONCE) {
      const some = heads.slice(from, from + CHUNKS_AT_ONCE);
      const [next] = some;
      if (next !== undefined && countBelow(points, lowest(next)) >= enough) break;
      const ids = some.map(({ id }) => id);
      for await (const batch of metricChunks.readMany(ids, wanted, moment)) take(batch);
    }
  });
  return firstPage(points, position, limits);
}

function fromStep({ position, range }: HistoryQuery): PointRange {
  if (position === undefined) return {};
  return { minStep: Math.max(position.step, range.minStep ?? position.step) };
}

/** No point of the chunk has a lower place, or a higher one. */
function lowest({ stepLow, timeLow, keys }: ChunkHead): HistoryPlace {
  return { step: stepLow, key: keys[0] ?? "", timeMs: timeLow };
}

function highest({ stepHigh, timeHigh, keys }: ChunkHead): HistoryPlace {
  return { step: stepHigh, key: keys.at(-1) ?? "", timeMs: timeHigh };
}

function countBelow(points: readonly MetricPoint[], place: HistoryPlace): number {
  return points.reduce((count, point) => count + Number(comparePlaces(point, place) < 0), 0);
}
