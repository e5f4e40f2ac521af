import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import type { PointColumns, PointStatistics, SeriesPoint } from "../domain/series-buckets.ts";
import { cutAtStep } from "../domain/series-order.ts";

/** A series as the wire has it: what fits into what is left of the `limit` that a whole call has. */
export function pointsSeriesToProto(
  runId: string,
  key: string,
  columns: PointColumns,
  { left, limit }: { readonly left: number; readonly limit: number },
): tracking.Series {
  const { steps, timesMs, values } = columns;
  const shown = cutAtStep(columns, left);
  const isTooMany = shown === 0 && steps.length > limit && left === limit;
  // A step that alone has more points than a call may have is shown in part: nothing else would let the reader go on.
  const count = isTooMany ? limit : shown;
  const next = isTooMany ? (steps[0] ?? 0) + 1 : steps[shown];
  return create(tracking.SeriesSchema, {
    runId,
    key,
    points: {
      steps: taken(steps, count, BigInt),
      timesMs: taken(timesMs, count, Number),
      values: taken(values, count, Number),
    },
    ...(next === undefined || !Number.isSafeInteger(next) ? {} : { nextStep: BigInt(next) }),
    truncated: isTooMany,
  });
}

/** The first so many numbers of a column; `Array.from` and spreading a typed array take several times as long. */
function taken<T>(column: Float64Array, count: number, as: (value: number) => T): T[] {
  const numbers = new Array<T>(count);
  for (let index = 0; index < count; index++) numbers[index] = as(column[index] ?? 0);
  return numbers;
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
