import type { Principal } from "@trainyard/service";
import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { runDeleted, runNotFound } from "../domain/errors.ts";
import type { Experiment } from "../domain/experiment.ts";
import type { RunRecord } from "../domain/run-record.ts";
import { seesProject } from "./find-experiment.ts";

/** A run that may be changed, and where it belongs. */
export interface Changeable {
  readonly run: RunRecord;
  readonly experiment: Experiment | undefined;
}

/**
 * The run, to change it in this transaction. Throws RUN_NOT_FOUND, also for one of another project, and
 * RUN_DELETED for one that is deleted, itself or with its experiment.
 */
export async function findChangeable(
  deps: Deps,
  tx: Tx,
  runId: string,
  principal: Principal,
): Promise<Changeable> {
  const found = await findVisible(deps, tx, runId, principal);
  if (found.run.lifecycle === "deleted" || found.experiment?.lifecycle === "deleted") throw runDeleted(runId);
  return found;
}

/** The same for a change that a deleted run takes too. */
export async function findVisible(
  deps: Deps,
  tx: Tx,
  runId: string,
  principal: Principal,
): Promise<Changeable> {
  const run = await deps.records.runs.find(runId, tx);
  if (run === undefined || !seesProject(principal, run.project)) throw runNotFound(runId);
  const experiment =
    run.experimentId === "" ? undefined : await deps.records.experiments.find(run.experimentId, tx);
  return { run, experiment };
}

/** Stores the changed run as its next version. When nothing changed, that is still a sign of life. */
export async function saveChange(deps: Deps, tx: Tx, before: RunRecord, next: RunRecord): Promise<RunRecord> {
  if (next === before) {
    await deps.records.runs.touch(tx, before.id);
    return before;
  }
  const changed = { ...next, version: before.version + 1, updatedAt: deps.now() };
  await deps.records.runs.save(tx, changed);
  return changed;
}

/**
 * Throws RUN_DELETED for a run that is deleted, itself or with its experiment, where a call changes no document of the
 * run. An experiment may be as it was a moment ago: many calls come for one.
 */
export async function assertNotDeleted(deps: Deps, run: RunRecord): Promise<void> {
  if (run.lifecycle === "deleted") throw runDeleted(run.id);
  if (run.experimentId === "") return;
  const experiment = await deps.records.experiments.findRecent(run.experimentId);
  if (experiment?.lifecycle === "deleted") throw runDeleted(run.id);
}
