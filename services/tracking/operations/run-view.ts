import type { Deps } from "../deps.ts";
import type { Checkpoint } from "../domain/checkpoint.ts";
import type { MetricSummary } from "../domain/metric-summary.ts";
import type { RunRecord } from "../domain/run-record.ts";
import type { Scope } from "../store/session.ts";
import { runMetrics } from "./run-metrics.ts";

/** A run with what is kept beside it. */
export interface RunView {
  readonly run: RunRecord;
  readonly latestCheckpoint?: Checkpoint;
  readonly metrics?: readonly MetricSummary[];
}

/**
 * The run with its newest checkpoint and its metrics as of now. They are computed also for a run that has ended: a node
 * that was cut off may bring points of the history much later.
 */
export async function viewRun(deps: Deps, run: RunRecord, scope?: Scope): Promise<RunView> {
  const latest = run.latestCheckpointId;
  const checkpoint = latest === undefined ? undefined : await deps.records.checkpoints.find(latest, scope);
  return {
    run,
    metrics: await runMetrics(deps, run, { scope }),
    ...(checkpoint === undefined ? {} : { latestCheckpoint: checkpoint }),
  };
}

/** The same for a list: an ended run's metrics as they were at its end. */
export async function viewListedRun(deps: Deps, run: RunRecord): Promise<RunView> {
  if (run.metrics === undefined) return viewRun(deps, run);
  const latest = run.latestCheckpointId;
  const checkpoint = latest === undefined ? undefined : await deps.records.checkpoints.find(latest);
  return { run, metrics: run.metrics, ...(checkpoint === undefined ? {} : { latestCheckpoint: checkpoint }) };
}
