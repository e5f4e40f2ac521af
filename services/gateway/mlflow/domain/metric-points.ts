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

/** Throws unless MLflow would store each point of `metrics`. What is the same for all points of a key is looked at once. */
export function assertPoints(points: readonly MetricPoint[]): void {
  const known = new Set<string>();
  for (const [index, point] of points.entries()) {
    if (point.timestamp >= 0 && known.has(point.key)) continue;
    assertPoint(point, `metrics[${index}]`);
    known.add(point.key);
  }
}

/** Points by column, of equal length; `keyIndex` points into `keys`. */
export interface PointColumns {
  readonly keys: string[];
  readonly keyIndex: number[];
  readonly steps: number[];
  readonly timesMs: number[];
  readonly values: number[];
}

/** Points as columns, each once: MLflow keeps one of equal points. */
export function columnsOf(points: readonly MetricPoint[]): PointColumns {
  const keys = new Map<string, number>();
  const columns = { keyIndex: [], steps: [], timesMs: [], values: [] } as Omit<PointColumns, "keys">;
  const places = new Set<number>();
  for (const { key, value, timestamp, step } of points) {
    const index = keys.get(key) ?? keys.size;
    if (index === keys.size) keys.set(key, index);
    places.add(step * KEYS_PER_STEP + index);
    columns.keyIndex.push(index);
    columns.steps.push(step);
    columns.timesMs.push(timestamp);
    columns.values.push(value);
  }
  const all = { keys: [...keys.keys()], ...columns };
  return places.size === points.length ? all : withoutRepeated(all);
}

/** With fewer keys than this, two points share a place only at the same step of the same key. With more it only costs a closer look. */
const KEYS_PER_STEP = 1_024;

function withoutRepeated({ keys, keyIndex, steps, timesMs, values }: PointColumns): PointColumns {
  const seen = new Set<string>();
  const kept = values.map((value, at) => {
    const identity = `${keyIndex[at]} ${steps[at]} ${timesMs[at]} ${exact(value)}`;
    const isNew = !seen.has(identity);
    seen.add(identity);
    return isNew;
  });
  const only = (column: readonly number[]) => column.filter((_, at) => kept[at]);
  return {
    keys,
    keyIndex: only(keyIndex),
    steps: only(steps),
    timesMs: only(timesMs),
    values: only(values),
  };
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
