import { crashPoint } from "@trainyard/failpoint";
import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { mergeInto } from "../domain/metric-summary.ts";
import type { RunRecord } from "../domain/run-record.ts";
import { visibleHistory } from "../domain/visible-history.ts";
import type { StoredBatch } from "../store/metric-batch-document.ts";
import { creatingTransaction } from "../store/session.ts";
import { packTime } from "./pack-metrics.ts";
import { isCurrent, summarizeBatches, summarizeFolded } from "./run-metrics.ts";

/** Batches folded in one transaction: few enough that calls which come meanwhile wait for milliseconds. */
const MAX_BATCHES = 50;

/**
 * Adds what was stored of a run since the last time to its summaries, in transactions that also mark the batches as
 * folded, so that each point counts once whoever folds and whenever it dies. Another attempt changes which points are
 * history: then the summaries are made anew from all of them. Does nothing for a run that is not known yet.
 */
export async function foldMetrics(deps: Deps, runId: string): Promise<void> {
  for (;;) {
    const folded = await creatingTransaction(deps.store, "fold metrics", (tx) => foldSome(deps, tx, runId));
    crashPoint("tracking.metrics.folded");
    if (folded < MAX_BATCHES) return;
  }
}

async function foldSome(deps: Deps, tx: Tx, runId: string): Promise<number> {
  const { runs, metrics, metricStates } = deps.records;
  const run = await runs.find(runId, tx);
  if (run === undefined) return 0;
  const state = await metricStates.find(runId, tx);
  const batches = await metrics.unfolded(runId, MAX_BATCHES, tx);
  if (batches.length === 0 && state?.stale !== true) return 0;
  if (state !== undefined && !isCurrent(state, run)) await makeAnew(deps, tx, run);
  await add(deps, tx, run, batches);
  await metrics.markFolded(
    tx,
    batches.map(({ id }) => id),
  );
  const points = batches.reduce((sum, { batch }) => sum + batch.values.length, 0);
  const loose = {
    looseBatches: (state?.looseBatches ?? 0) + batches.length,
    loosePoints: (state?.loosePoints ?? 0) + points,
    openPoints: state?.openPoints ?? 0,
  };
  const packAt = packTime(loose, deps.now());
  await metricStates.save(tx, {
    runId,
    project: run.project,
    experimentId: run.experimentId,
    attempt: run.currentAttempt,
    stale: false,
    ...loose,
    ...(packAt === undefined ? {} : { packAt }),
    updatedAt: deps.now(),
  });
  return batches.length;
}

const ownerOf = (run: RunRecord) => ({
  runId: run.id,
  project: run.project,
  experimentId: run.experimentId,
});

async function add(deps: Deps, tx: Tx, run: RunRecord, batches: readonly StoredBatch[]): Promise<void> {
  const more = summarizeBatches(batches, visibleHistory(run.attempts));
  if (more.size === 0) return;
  const known = await deps.records.metricSummaries.ofRun(run.id, [...more.keys()], tx);
  // A run of thousands of metrics begins with as many new rows, which are quicker inserted than looked for one by one.
  const fresh = [...more].filter(([key]) => !known.has(key)).map(([, summary]) => summary);
  await deps.records.metricSummaries.insert(tx, ownerOf(run), fresh);
  for (const key of known.keys()) {
    const summary = more.get(key);
    if (summary !== undefined) mergeInto(known, summary);
  }
  await deps.records.metricSummaries.save(tx, ownerOf(run), known.values());
}

/** Of everything that was folded before. */
async function makeAnew(deps: Deps, tx: Tx, run: RunRecord): Promise<void> {
  const all = await summarizeFolded(deps, run, [], tx);
  await deps.records.metricSummaries.keepOnly(tx, run.id, new Set(all.keys()));
  await deps.records.metricSummaries.save(tx, ownerOf(run), all.values());
}
