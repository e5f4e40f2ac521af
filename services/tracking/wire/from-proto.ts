import type { tracking } from "@trainyard/contracts";
import type { ReportedMetrics, StoredFile } from "../domain/checkpoint.ts";
import { invalidField } from "../domain/errors.ts";
import { MAX_KEY_BYTES, MAX_REPORTED_METRICS } from "../domain/limits.ts";
import { safeNumber } from "./numbers.ts";

/** Files of the wire; paths and digests are checked by `assertFiles`. */
export function filesFromProto(field: string, files: readonly tracking.StoredFile[]): StoredFile[] {
  return files.map(({ path, digest, sizeBytes }, index) => ({
    path,
    digest,
    sizeBytes: safeNumber(`${field}[${index}].size_bytes`, sizeBytes),
  }));
}

/** A map of metric values as pairs. Throws `invalid_argument` for too many, or too long a name. */
export function metricsFromProto(field: string, metrics: Readonly<Record<string, number>>): ReportedMetrics {
  const pairs = Object.entries(metrics).map(([key, value]) => ({ key, value }));
  if (pairs.length > MAX_REPORTED_METRICS) {
    throw invalidField(
      field,
      `expected at most ${MAX_REPORTED_METRICS} values (MAX_REPORTED_METRICS), got ${pairs.length}`,
    );
  }
  for (const { key } of pairs) {
    if (key === "" || Buffer.byteLength(key) > MAX_KEY_BYTES) {
      throw invalidField(field, `a metric's name has 1 to ${MAX_KEY_BYTES} bytes (MAX_KEY_BYTES)`);
    }
  }
  return pairs;
}
