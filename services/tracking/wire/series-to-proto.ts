import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import type { PointColumns, PointStatistics, SeriesPoint } from "../domain/series-buckets.ts";
import { cutAtStep } from "../domain/series-order.ts";
import { doubleBytes, stepBytes } from "./column-bytes.ts";
import { packedPoints } from "./packed-points.ts";

/** How points are written: as columns of bytes, else as lists, in protobuf's bytes or in JSON. */
export type PointsForm = "columns" | "packed lists" | "lists";

/** What an answer has room for, of the `limit` that a whole call has, and how it has its points. */
export interface AnswerRoom {
  readonly left: number;
  readonly limit: number;
  readonly form: PointsForm;
}

/** A series as the wire has it, what fits into the room, and how many points that are. */
export function pointsSeriesToProto(
  runId: string,
  key: string,
  columns: PointColumns,
  { left, limit, form }: AnswerRoom,
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
    ...pointsIn(form, columns, count),
    ...(next === undefined || !Number.isSafeInteger(next) ? {} : { nextStep: BigInt(next) }),
    truncated: isTooMany,
  });
  return { series, count };
}

function pointsIn(
  form: PointsForm,
  columns: PointColumns,
  count: number,
): Pick<MessageInitShape<typeof tracking.SeriesSchema>, "points" | "columns"> {
  if (form === "lists") return { points: plainPoints(columns, count) };
  if (form === "packed lists") return { points: packedPoints(columns, count) };
  const { steps, timesMs, values } = columns;
  return {
    columns: {
      steps: stepBytes(steps, count),
      timesMs: doubleBytes(timesMs, count),
      values: doubleBytes(values, count),
    },
  };
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
