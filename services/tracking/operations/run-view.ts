import type { Deps } from "../deps.ts";
import type { Checkpoint } from "../domain/checkpoint.ts";
import type { Experiment } from "../domain/experiment.ts";
import { numbersOf, type SummaryNumbers } from "../domain/metric-summary.ts";
import type { RunRecord } from "../domain/run-record.ts";
import type { Scope } from "../store/session.ts";
import { runMetrics } from "./run-metrics.ts";

/** A run with what is kept beside it. */
export interface RunView {
  readonly run: RunRecord;
  /** Absent until the run's submission is known. */
  readonly experiment?: Experiment | undefined;
  readonly latestCheckpoint?: Checkpoint | undefined;
  readonly metrics?: readonly SummaryNumbers[];
  readonly favourite?: boolean;
}

/**
 * The run with its newest checkpoint and its metrics as of now. They are computed also for a run that has ended: a node
 * that was cut off may bring points of the history much later.
 */
export async function viewRun(deps: Deps, run: RunRecord, scope?: Scope): Promise<RunView> {
  const view = await besides(deps, run, scope);
  return { ...view, metrics: (await runMetrics(deps, run, { scope })).map(numbersOf) };
}

async function besides(deps: Deps, run: RunRecord, scope?: Scope): Promise<RunView> {
  const { checkpoints, experiments } = deps.records;
  const { latestCheckpointId, experimentId } = run;
  // One after the other: calls within one transaction do not run side by side.
  return {
    run,
    experiment: experimentId === "" ? undefined : await experiments.find(experimentId, scope),
    latestCheckpoint:
      latestCheckpointId === undefined ? undefined : await checkpoints.find(latestCheckpointId, scope),
  };
}
