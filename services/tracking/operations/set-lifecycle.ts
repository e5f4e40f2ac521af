import { DomainError } from "@trainyard/domain";
import type { Principal } from "@trainyard/service";
import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { experimentDeleted, runDeleted } from "../domain/errors.ts";
import { type Lifecycle, lifecycleMarks } from "../domain/lifecycle.ts";
import { isOutside, type RunRecord } from "../domain/run-record.ts";
import { isFinal } from "../domain/run-status.ts";
import { findVisible, saveChange } from "./change-run.ts";
import { emitLifecycleChanged } from "./emit-run.ts";
import { type RunView, viewRun } from "./run-view.ts";

/** Whose lifecycle to change, and to what. */
export interface LifecycleRequest {
  readonly runId: string;
  readonly to: Lifecycle;
  readonly principal: Principal;
  readonly actor: string;
}

/**
 * Archives, deletes or restores a run. Asked for what is so already, it changes nothing, not even the mark's time.
 * Throws RUN_NOT_ENDED to delete the run of a job that goes on, and EXPERIMENT_DELETED to restore what would stay out of
 * sight with its experiment.
 */
export async function setLifecycle(deps: Deps, tx: Tx, request: LifecycleRequest): Promise<RunView> {
  const { runId, to, principal, actor } = request;
  const { run, experiment } = await findVisible(deps, tx, runId, principal);
  if (run.lifecycle === to) return await viewRun(deps, run, tx);
  if (experiment?.lifecycle === "deleted") throw experimentDeleted(experiment);
  if (to === "archived" && run.lifecycle === "deleted") throw runDeleted(runId);
  if (to === "deleted" && !isOutside(run) && !isFinal(run.status)) throw notEnded(run);
  const { lifecycleChangedAt: _, lifecycleChangedBy: __, ...rest } = run;
  const next: RunRecord = { ...rest, ...lifecycleMarks(to, deps.now(), actor) };
  const saved = await saveChange(deps, tx, run, next);
  await emitLifecycleChanged(tx, saved, experiment, { before: run.lifecycle, actor });
  return await viewRun(deps, saved, tx);
}

function notEnded({ id, jobId, status }: RunRecord): DomainError {
  const message = `Run ${id} is ${status}. Cancel its job ${jobId} before you delete it.`;
  return new DomainError("failed_precondition", "RUN_NOT_ENDED", message, {
    metadata: { run_id: id, job_id: jobId, status },
  });
}
