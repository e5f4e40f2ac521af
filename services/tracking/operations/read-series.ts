import type { Deps } from "../deps.ts";
import { pointsOf } from "../domain/metric-summary.ts";
import { isInRange, type PointRange } from "../domain/point-range.ts";
import type { RunRecord } from "../domain/run-record.ts";
import {
  type AxisRange,
  type PointColumns,
  type PointStatistics,
  type SeriesAxis,
  SeriesBuckets,
} from "../domain/series-buckets.ts";
import { inOrder } from "../domain/series-order.ts";
import { visibleEnd, visibleHistory } from "../domain/visible-history.ts";

/** What of some series of a run to read. */
export interface SeriesQuery {
  readonly keys: readonly string[];
  readonly rank?: number | undefined;
  readonly range: PointRange;
}

/** The visible points of each metric that has some, by step, then time. */
export async function readSeries(
  deps: Deps,
  run: RunRecord,
  query: SeriesQuery,
): Promise<Map<string, PointColumns>> {
  const { keys, rank, range } = query;
  const history = visibleHistory(run.attempts);
  const wanted = new Map(keys.map((key) => [key, { steps: [], timesMs: [], values: [] } as Growing]));
  const found = deps.records.metrics.read({
    runId: run.id,
    history,
    keys,
    ...(rank === undefined ? {} : { rank }),
  });
  for await (const { source, batch } of found) {
    for (const point of pointsOf(batch, source, visibleEnd(history, source.attempt, source.rank))) {
      const growing = wanted.get(point.key);
      if (growing === undefined || !isInRange(range, point.step, point.timeMs)) continue;
      growing.steps.push(point.step);
      growing.timesMs.push(point.timeMs);
      growing.values.push(point.value);
    }
  }
  return new Map(
    [...wanted]
      .filter(([, { steps }]) => steps.length > 0)
      .map(([key, { steps, timesMs, values }]) => [
        key,
        inOrder({
          steps: Float64Array.from(steps),
          timesMs: Float64Array.from(timesMs),
          values: Float64Array.from(values),
        }),
      ]),
  );
}

interface Growing {
  readonly steps: number[];
  readonly timesMs: number[];
  readonly values: number[];
}

/** The same for a chart: at most `buckets` of each metric. */
export async function readBuckets(
  deps: Deps,
  run: RunRecord,
  query: SeriesQuery & { readonly buckets: number; readonly axis: SeriesAxis },
): Promise<Map<string, PointStatistics[]>> {
  const series = await readSeries(deps, run, query);
  return new Map(
    [...series].map(([key, { steps, timesMs, values }]) => {
      const buckets = new SeriesBuckets(
        query.axis,
        extentOf(query.axis === "step" ? steps : timesMs),
        query.buckets,
      );
      for (let index = 0; index < values.length; index++) {
        buckets.add(steps[index] ?? 0, timesMs[index] ?? 0, values[index] ?? 0);
      }
      return [key, [...buckets.statistics()]];
    }),
  );
}

function extentOf(positions: Float64Array): AxisRange {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const position of positions) {
    low = Math.min(low, position);
    high = Math.max(high, position);
  }
  return { low, high };
}
