import { DomainError } from "@trainyard/domain";
import { limitExceeded, type NamedText } from "./catalog.ts";

export const loggedModelStatuses = ["pending", "ready", "upload_failed"] as const;

export type LoggedModelStatus = (typeof loggedModelStatuses)[number];

/** One value of one metric of a logged model. */
export interface ModelMetric {
  readonly key: string;
  readonly value: number;
  readonly step: number;
  readonly timeMs: number;
  readonly runId: string;
  readonly datasetName: string;
  readonly datasetDigest: string;
}

/** What a search asks of a metric on a dataset, without its points. */
export interface ModelSeries {
  readonly key: string;
  readonly datasetName: string;
  readonly datasetDigest: string;
  /** The one that came last. */
  readonly value: number;
  /** NaN when every value is NaN. */
  readonly min: number;
  readonly max: number;
}

/** A model as an outside client logs it, before and without being registered. */
export interface LoggedModel {
  /** "m-" and 32 hexadecimal digits, as MLflow's clients expect it in `models:/` URIs. */
  readonly id: string;
  readonly project: string;
  readonly experimentId: string;
  readonly name: string;
  readonly modelType: string;
  readonly status: LoggedModelStatus;
  readonly sourceRunId: string;
  readonly params: readonly NamedText[];
  readonly tags: readonly NamedText[];
  /** By when they were last measured. */
  readonly series: readonly ModelSeries[];
  /** Points that are stored of it. */
  readonly pointCount: number;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly deleted: boolean;
}

/** Metrics of one model, each counted once for each dataset: each log of points rewrites what is known of all of them. */
const MAX_METRICS = 10_000;
const MAX_POINTS = 1_000_000;
const MAX_POINTS_PER_CALL = 1_000;
const MAX_NAME_LENGTH = 500;

export function assertLoggedModelName(name: string): void {
  if (name.length > MAX_NAME_LENGTH)
    throw limitExceeded("LOGGED_MODEL_NAME_LENGTH", MAX_NAME_LENGTH, name.length);
  if (name.trim() !== "") return;
  const description = "expected a name";
  throw new DomainError("invalid_argument", "NAME_INVALID", `name: ${description}.`, {
    violations: [{ field: "name", description }],
  });
}

/** The model after these points, which are stored beside it. Throws LIMIT_EXCEEDED. */
export function withPoints(model: LoggedModel, points: readonly ModelMetric[]): LoggedModel {
  if (points.length > MAX_POINTS_PER_CALL)
    throw limitExceeded("LOGGED_MODEL_POINTS_PER_CALL", MAX_POINTS_PER_CALL, points.length);
  const pointCount = model.pointCount + points.length;
  if (pointCount > MAX_POINTS) throw limitExceeded("LOGGED_MODEL_POINTS", MAX_POINTS, pointCount);
  const series = seriesWith(model.series, points);
  if (series.length > MAX_METRICS) throw limitExceeded("LOGGED_MODEL_METRICS", MAX_METRICS, series.length);
  return { ...model, series, pointCount };
}

/** What is known of each metric after these points, the one that was measured last at the end. */
export function seriesWith(
  known: readonly ModelSeries[],
  points: readonly ModelMetric[],
): readonly ModelSeries[] {
  const series = new Map(known.map((one) => [seriesId(one), one]));
  for (const { key, datasetName, datasetDigest, value } of points) {
    const id = seriesId({ key, datasetName, datasetDigest });
    const { min = value, max = value } = series.get(id) ?? {};
    series.delete(id);
    // A comparison with NaN is false: the other one stays, if there is one.
    const extremes = {
      min: value < min || Number.isNaN(min) ? value : min,
      max: value > max || Number.isNaN(max) ? value : max,
    };
    series.set(id, { key, datasetName, datasetDigest, value, ...extremes });
  }
  return [...series.values()];
}

/** The points in the order in which they came, equal ones once. */
export function distinctPoints(points: readonly ModelMetric[]): readonly ModelMetric[] {
  return [...new Map(points.map((point) => [JSON.stringify(point, replaceNumber), point])).values()];
}

function seriesId({
  key,
  datasetName,
  datasetDigest,
}: Pick<ModelMetric, "key" | "datasetName" | "datasetDigest">) {
  return JSON.stringify([key, datasetName, datasetDigest]);
}

/** JSON has no number for NaN and the infinities, which differ all the same. */
function replaceNumber(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

/** The parameters with those logged now. Throws PARAM_DIFFERS when one is known with another value. */
export function withParams(
  id: string,
  known: readonly NamedText[],
  more: Readonly<Record<string, string>>,
): readonly NamedText[] {
  const values = new Map(known.map(({ key, value }) => [key, value]));
  for (const [key, value] of Object.entries(more)) {
    const before = values.get(key);
    if (before !== undefined && before !== value) {
      throw new DomainError(
        "already_exists",
        "PARAM_DIFFERS",
        `Parameter ${key} of ${id} is ${JSON.stringify(before)} and was now given as ${JSON.stringify(value)}.`,
        { metadata: { key, value: before.slice(0, 1_000), given: value.slice(0, 1_000) } },
      );
    }
    values.set(key, value);
  }
  return [...values].map(([key, value]) => ({ key, value }));
}

export function loggedModelNotFound(id: string): DomainError {
  return new DomainError(
    "not_found",
    "LOGGED_MODEL_NOT_FOUND",
    `There is no logged model ${JSON.stringify(id.slice(0, 64))}.`,
  );
}
