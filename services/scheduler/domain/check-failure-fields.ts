import type { JobSpec } from "./job-spec.ts";
import { MAX_BUDGET, MAX_METRIC_KEY_BYTES, MAX_TIMEOUT_SECONDS, MAX_WATCHED_METRICS } from "./limits.ts";
import { expectInteger, expectText, expectThat, type Violation } from "./violation.ts";

/** Checks what a job says of how it may shrink, fail, hang and idle. */
export function checkFailureFields(spec: JobSpec): readonly Violation[] {
  return [
    ...checkElastic(spec),
    ...Object.entries(spec.budgets ?? {}).flatMap(([name, budget]) =>
      expectInteger(`spec.failure_budgets.${name}`, budget, 0, MAX_BUDGET),
    ),
    ...checkWatched(spec.haltOnNonFinite ?? []),
    ...(spec.hang === undefined ? [] : expectSeconds("spec.hang.after_seconds", spec.hang.afterSeconds)),
    ...expectInteger(
      "spec.collective_timeout_seconds",
      spec.collectiveTimeoutSeconds ?? 1,
      1,
      MAX_TIMEOUT_SECONDS,
    ),
    ...(spec.idle === undefined ? [] : expectSeconds("spec.idle.after_seconds", spec.idle.afterSeconds)),
  ];
}

function checkElastic({ minRanks, ranks, mesh, spread }: JobSpec): readonly Violation[] {
  if (minRanks === undefined) return [];
  const field = "spec.min_ranks";
  return [
    ...expectInteger(field, minRanks, 1, ranks),
    ...expectThat(
      mesh === undefined && spread === undefined,
      field,
      "expected none beside a mesh or a fixed number of nodes: an elastic gang has as many ranks as fit",
    ),
  ];
}

function checkWatched(keys: readonly string[]): readonly Violation[] {
  const field = "spec.halt_on_non_finite";
  return [
    ...expectThat(
      keys.length <= MAX_WATCHED_METRICS,
      field,
      `expected at most ${MAX_WATCHED_METRICS} metrics, got ${keys.length}`,
    ),
    ...keys.flatMap((key, index) => [
      ...expectThat(key !== "", `${field}[${index}]`, 'expected a metric\'s name, such as "loss"'),
      ...expectText(`${field}[${index}]`, key, MAX_METRIC_KEY_BYTES),
    ]),
  ];
}

function expectSeconds(field: string, seconds: number): readonly Violation[] {
  return expectInteger(field, seconds, 0, MAX_TIMEOUT_SECONDS);
}
