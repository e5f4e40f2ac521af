import type { Deps } from "../deps.ts";
import { type MetricSummary, mergeInto } from "../domain/metric-summary.ts";
import type { RunRecord } from "../domain/run-record.ts";
import { visibleHistory } from "../domain/visible-history.ts";
import type { PointQuery } from "../store/metric-batches.ts";
import type { Scope } from "../store/session.ts";

/** The summary of each metric over the run's visible history, by key. Reads summaries of batches, hardly any points. */
export async function runMetrics(
  deps: Deps,
  run: RunRecord,
  options: Pick<PointQuery, "keys"> & { readonly scope?: Scope } = {},
): Promise<MetricSummary[]> {
  const { scope, keys = [] } = options;
  const query = { runId: run.id, history: visibleHistory(run.attempts), keys };
  const summaries = new Map<string, MetricSummary>();
  for await (const summary of deps.records.metrics.summaries(query, scope)) {
    if (keys.length === 0 || keys.includes(summary.last.key)) mergeInto(summaries, summary);
  }
  return [...summaries.values()].sort((a, b) => (a.last.key < b.last.key ? -1 : 1));
}
