import type { tracking } from "@trainyard/contracts";
import { invalidField } from "../domain/errors.ts";
import { MAX_KEY_CHARACTERS, MAX_KEYS_PER_BATCH, MAX_POINTS_PER_BATCH } from "../domain/limits.ts";
import type { MetricBatch } from "../domain/metric-batch.ts";

/** Points of a call, checked. Throws `invalid_argument`, with the reasons that metric.proto names. */
export function metricColumnsFromProto(columns: tracking.MetricColumns | undefined): MetricBatch {
  if (columns === undefined) throw invalidField("points", "is required");
  const { keys, keyIndex, steps, timesMs, values } = columns;
  const count = values.length;
  checkLimit("points", count, MAX_POINTS_PER_BATCH, "points", "MAX_POINTS_PER_BATCH", "TOO_MANY_POINTS");
  checkLimit("points.keys", keys.length, MAX_KEYS_PER_BATCH, "keys", "MAX_KEYS_PER_BATCH", "TOO_MANY_KEYS");
  keys.forEach(checkKey);
  for (const [name, { length }] of Object.entries({ key_index: keyIndex, steps, times_ms: timesMs })) {
    if (length === count) continue;
    const description = `${length} entries, and values has ${count}: columns are of equal length`;
    throw invalidField(`points.${name}`, description, "METRIC_COLUMNS_DIFFER");
  }
  return {
    begin: 0,
    end: 0,
    keys,
    keyIndex: indicesOf(keyIndex, keys.length),
    steps: stepsOf(steps),
    timesMs: timesOf(timesMs),
    values: Float64Array.from(values),
    offsets: new Float64Array(count),
  };
}

function checkKey(key: string, index: number): void {
  if (key !== "" && key.length <= MAX_KEY_CHARACTERS && key.isWellFormed()) return;
  const description = `a metric's name has 1 to ${MAX_KEY_CHARACTERS} characters (MAX_KEY_CHARACTERS), got ${key.length}`;
  throw invalidField(`points.keys[${index}]`, description, "METRIC_KEY_INVALID");
}

function indicesOf(keyIndex: readonly number[], keys: number): Uint16Array {
  const beyond = keyIndex.findIndex((index) => index >= keys);
  if (beyond === -1) return Uint16Array.from(keyIndex);
  const description = `${keyIndex[beyond]} is no index into the ${keys} keys`;
  throw invalidField(`points.key_index[${beyond}]`, description, "METRIC_COLUMNS_DIFFER");
}

function stepsOf(steps: readonly bigint[]): Float64Array {
  const numbers = new Float64Array(steps.length);
  for (let index = 0; index < steps.length; index++) {
    const step = Number(steps[index]);
    if (!Number.isSafeInteger(step)) {
      const description = `${steps[index]} is not from -(2^53 - 1) to 2^53 - 1`;
      throw invalidField(`points.steps[${index}]`, description, "METRIC_STEP_INVALID");
    }
    numbers[index] = step;
  }
  return numbers;
}

function timesOf(timesMs: readonly number[]): Float64Array {
  const bad = timesMs.findIndex((time) => !Number.isFinite(time));
  if (bad === -1) return Float64Array.from(timesMs);
  throw invalidField(`points.times_ms[${bad}]`, `${timesMs[bad]} is no time`);
}

function checkLimit(
  field: string,
  got: number,
  maximum: number,
  what: string,
  name: string,
  reason: string,
): void {
  if (got <= maximum) return;
  throw invalidField(field, `expected at most ${maximum} ${what} (${name}), got ${got}`, reason);
}
