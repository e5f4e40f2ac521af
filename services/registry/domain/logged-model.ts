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
  readonly metrics: readonly ModelMetric[];
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly deleted: boolean;
}

const MAX_METRICS = 10_000;
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

/**
 * The metrics with those logged now, in the order in which they came; equal ones are kept once. Of more than a model holds,
 * the oldest give way, but the last of each metric on each dataset: its run has them all. Throws LIMIT_EXCEEDED for more of those.
 */
export function withMetrics(
  known: readonly ModelMetric[],
  more: readonly ModelMetric[],
): readonly ModelMetric[] {
  const all = [
    ...new Map([...known, ...more].map((metric) => [JSON.stringify(metric, replaceNumber), metric])).values(),
  ];
  if (all.length <= MAX_METRICS) return all;
  const last = new Set(new Map(all.map((metric) => [seriesOf(metric), metric])).values());
  if (last.size > MAX_METRICS) throw limitExceeded("LOGGED_MODEL_METRICS", MAX_METRICS, last.size);
  const older = all.filter((metric) => !last.has(metric));
  const kept = new Set(older.slice(older.length - (MAX_METRICS - last.size)));
  return all.filter((metric) => last.has(metric) || kept.has(metric));
}

function seriesOf({ key, datasetName, datasetDigest }: ModelMetric): string {
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
