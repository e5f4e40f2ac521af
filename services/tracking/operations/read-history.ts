import type { Deps } from "../deps.ts";
import { firstPoints, type MetricPoint } from "../domain/metric-point.ts";
import { pointsOf } from "../domain/metric-summary.ts";
import type { RunRecord } from "../domain/run-record.ts";
import { visibleEnd, visibleHistory } from "../domain/visible-history.ts";

/** The visible points of some metrics, cut to the first `limit` by step. Memory stays bounded by the limit. */
export async function readHistory(
  deps: Deps,
  run: RunRecord,
  query: { readonly keys: readonly string[]; readonly rank?: number | undefined; readonly limit: number },
): Promise<{ readonly points: MetricPoint[]; readonly truncated: boolean }> {
  const history = visibleHistory(run.attempts);
  const wanted = new Set(query.keys);
  let points: MetricPoint[] = [];
  let truncated = false;
  const found = deps.records.metrics.read({
    runId: run.id,
    history,
    keys: query.keys,
    ...(query.rank === undefined ? {} : { rank: query.rank }),
  });
  for await (const { source, batch } of found) {
    const { rank, attempt } = source;
    for (const point of pointsOf(batch, { rank, attempt }, visibleEnd(history, attempt, rank))) {
      if (wanted.size === 0 || wanted.has(point.key)) points.push(point);
    }
    if (points.length > 4 * query.limit) {
      ({ points } = firstPoints(points, query.limit));
      truncated = true;
    }
  }
  const first = firstPoints(points, query.limit);
  return { points: first.points, truncated: truncated || first.truncated };
}
