import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import type { PointColumns, PointStatistics, SeriesPoint } from "../domain/series-buckets.ts";
import { cutAtStep } from "../domain/series-order.ts";

/** A series as the wire has it, with at most `limit` points. */
export function pointsSeriesToProto(
  runId: string,
  key: string,
  columns: PointColumns,
  limit: number,
): tracking.Series {
  const shown = cutAtStep(columns, limit);
  const { steps, timesMs, values } = columns;
  // A step that alone has more points than fit is shown in part: nothing else would let the reader go on.
  const count = shown === 0 ? Math.min(limit, steps.length) : shown;
  const next = shown < steps.length ? steps[shown === 0 ? endOfStep(steps) : shown] : undefined;
  return create(tracking.SeriesSchema, {
    runId,
    key,
    points: {
      steps: Array.from(steps.subarray(0, count), BigInt),
      timesMs: [...timesMs.subarray(0, count)],
      values: [...values.subarray(0, count)],
    },
    ...(next === undefined ? {} : { nextStep: BigInt(next) }),
  });
}

/** Where the first step's points end. */
function endOfStep(steps: Float64Array): number {
  let end = 0;
  while (end < steps.length && steps[end] === steps[0]) end += 1;
  return end;
}

/** A series for a chart as the wire has it. */
export function bucketSeriesToProto(
  runId: string,
  key: string,
  buckets: readonly PointStatistics[],
): tracking.Series {
  return create(tracking.SeriesSchema, {
    runId,
    key,
    buckets: {
      counts: buckets.map(({ count }) => BigInt(count)),
      nanCounts: buckets.map(({ nanCount }) => BigInt(nanCount)),
      positiveInfinityCounts: buckets.map(({ positiveInfinityCount }) => BigInt(positiveInfinityCount)),
      negativeInfinityCounts: buckets.map(({ negativeInfinityCount }) => BigInt(negativeInfinityCount)),
      first: pointsToProto(buckets.map(({ first }) => first)),
      last: pointsToProto(buckets.map(({ last }) => last)),
      min: pointsToProto(buckets.map(({ min }) => min)),
      max: pointsToProto(buckets.map(({ max }) => max)),
    },
  });
}

function pointsToProto(points: readonly SeriesPoint[]): MessageInitShape<typeof tracking.SeriesPointsSchema> {
  return {
    steps: points.map(({ step }) => BigInt(step)),
    timesMs: points.map(({ timeMs }) => timeMs),
    values: points.map(({ value }) => value),
  };
}
