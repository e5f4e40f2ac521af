import { createHash } from "node:crypto";
import { invalidParameter, invalidValue } from "./mlflow-error.ts";
import { assertMetricKey } from "./names.ts";

/** One value of a metric as a client logs it. */
export interface MetricPoint {
  readonly key: string;
  readonly value: number;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly step: number;
}

/** Throws unless MLflow would store the point; `path` is where it is in the request. */
export function assertPoint({ key, value, timestamp }: MetricPoint, path: string): void {
  const at = (name: string) => (path === "" ? name : `${path}.${name}`);
  assertMetricKey(key, at("name"));
  if (timestamp >= 0) return;
  throw invalidValue(
    at("timestamp"),
    timestamp,
    `metric '${key}' (value=${pythonFloat(value)}). Timestamp must be a nonnegative long (64-bit integer) `,
  );
}

/** Points as columns, each once: MLflow keeps one of equal points. */
export function columnsOf(points: readonly MetricPoint[]) {
  const keys = new Map<string, number>();
  const seen = points.length === 1 ? undefined : new Set<string>();
  const columns = {
    keyIndex: [] as number[],
    steps: [] as bigint[],
    timesMs: [] as number[],
    values: [] as number[],
  };
  for (const { key, value, timestamp, step } of points) {
    const index = keys.get(key) ?? keys.size;
    if (index === keys.size) keys.set(key, index);
    const identity = `${index} ${step} ${timestamp} ${exact(value)}`;
    if (seen?.has(identity) === true) continue;
    seen?.add(identity);
    columns.keyIndex.push(index);
    columns.steps.push(BigInt(step));
    columns.timesMs.push(timestamp);
    columns.values.push(value);
  }
  return { keys: [...keys.keys()], ...columns };
}

/**
 * Names points by what they are. MLflow's clients repeat a call whose answer was lost and have no id for it; and MLflow
 * keeps a point once however often it is logged. So the same points are the same request.
 */
export function pointsId(points: readonly MetricPoint[]): string {
  const named = points.map(
    ({ key, value, timestamp, step }) => `${key} ${step} ${timestamp} ${exact(value)}`,
  );
  return `mlflow-${createHash("sha256").update(named.join("\n")).digest("base64url")}`;
}

/** A float so that no other reads the same: there are two zeros. */
const exact = (value: number) => (Object.is(value, -0) ? "-0" : String(value));

/** A float as Python prints it. */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return Number.isInteger(value) && Math.abs(value) < 1e16 ? `${value}.0` : String(value);
}

/** Throws for more metrics, parameters or tags in one request than MLflow takes. */
export function assertBatchLimit(what: string, limit: number, got: number): void {
  if (got <= limit) return;
  throw invalidParameter(
    `A batch logging request can contain at most ${limit} ${what}. Got ${got} ${what}. Please split up ${what} across multiple requests and try again.`,
  );
}
