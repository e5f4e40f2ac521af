import type { Deps } from "../deps.ts";
import { type MetricSummary, mergeInto, summarizeBatch } from "../domain/metric-summary.ts";
import type { RunRecord } from "../domain/run-record.ts";
import { type VisibleHistory, visibleEnd, visibleHistory } from "../domain/visible-history.ts";
import type { StoredBatch } from "../store/metric-batch-document.ts";
import type { MetricState } from "../store/metric-states.ts";
import { atOneMoment, type Scope } from "../store/session.ts";

/**
 * The summary of each metric over the run's visible history as of now, by key: the stored summaries, and the batches that
 * are not folded into them yet.
 */
export async function runMetrics(
  deps: Deps,
  run: RunRecord,
  options: { readonly keys?: readonly string[]; readonly scope?: Scope } = {},
): Promise<MetricSummary[]> {
  const { keys = [] } = options;
  const wanted = new Set(keys);
  const summaries = await atOneMoment(deps.store, options.scope, async (scope) => {
    const { metrics, metricStates, metricSummaries } = deps.records;
    const state = await metricStates.find(run.id, scope);
    const isFolded = state !== undefined && isCurrent(state, run);
    const found = isFolded
      ? await metricSummaries.ofRun(run.id, keys, scope)
      : await summarizeFolded(deps, run, keys, scope);
    const fresh = await metrics.unfolded(run.id, 0, scope);
    for (const more of summarizeBatches(fresh, visibleHistory(run.attempts)).values()) mergeInto(found, more);
    return found;
  });
  return [...summaries.values()]
    .filter(({ last }) => wanted.size === 0 || wanted.has(last.key))
    .sort((a, b) => (a.last.key < b.last.key ? -1 : 1));
}

/** Whether the summaries are of the history as it is now, and stand where a search looks for them. */
export function isCurrent(state: MetricState, run: RunRecord): boolean {
  return !state.stale && state.attempt === run.currentAttempt && state.experimentId === run.experimentId;
}

/** The summaries of everything that is folded, from the points. */
export async function summarizeFolded(
  deps: Deps,
  run: RunRecord,
  keys: readonly string[],
  scope: Scope,
): Promise<Map<string, MetricSummary>> {
  const history = visibleHistory(run.attempts);
  const summaries = new Map<string, MetricSummary>();
  for await (const batch of deps.records.metrics.read(
    { runId: run.id, history, keys, folded: true },
    scope,
  )) {
    for (const more of summarizeBatches([batch], history).values()) mergeInto(summaries, more);
  }
  const packed = deps.records.metricChunks.read({ runId: run.id, history, keys, range: {} }, scope);
  for await (const batch of packed) {
    for (const more of summarizeBatches([batch], history).values()) mergeInto(summaries, more);
  }
  return summaries;
}

/** The summaries of the visible points of some batches, by key. */
export function summarizeBatches(
  batches: Iterable<StoredBatch>,
  history: VisibleHistory,
): Map<string, MetricSummary> {
  const summaries = new Map<string, MetricSummary>();
  for (const { source, batch } of batches) {
    const end = visibleEnd(history, source.attempt, source.rank);
    for (const summary of summarizeBatch(batch, source, end).values()) mergeInto(summaries, summary);
  }
  return summaries;
}
