import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import type { PointColumns, PointStatistics, SeriesPoint } from "../domain/series-buckets.ts";
import { cutAtStep } from "../domain/series-order.ts";
import { packedPoints } from "./packed-points.ts";

/** What an answer has room for, of the `limit` that a whole call has, and whether it is sent as protobuf's bytes or as JSON. */
export interface AnswerRoom {
  readonly left: number;
  readonly limit: number;
  readonly isBinary: boolean;
}

/** A series as the wire has it, what fits into the room, and how many points that are. */
export function pointsSeriesToProto(
  runId: string,
  key: string,
  columns: PointColumns,
  { left, limit, isBinary }: AnswerRoom,
): { readonly series: tracking.Series; readonly count: number } {
  const { steps } = columns;
  const shown = cutAtStep(columns, left);
  const isTooMany = shown === 0 && steps.length > limit && left === limit;
  // A step that alone has more points than a call may have is shown in part: nothing else would let the reader go on.
  const count = isTooMany ? limit : shown;
  const next = isTooMany ? (steps[0] ?? 0) + 1 : steps[shown];
  const series = create(tracking.SeriesSchema, {
    runId,
    key,
    points: isBinary ? packedPoints(columns, count) : plainPoints(columns, count),
    ...(next === undefined || !Number.isSafeInteger(next) ? {} : { nextStep: BigInt(next) }),
    truncated: isTooMany,
  });
  return { series, count };
}

function plainPoints({ steps, timesMs, values }: PointColumns, count: number) {
  return {
    steps: Array.from(steps.subarray(0, count), BigInt),
    timesMs: Array.from(timesMs.subarray(0, count)),
    values: Array.from(values.subarray(0, count)),
  };
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
