import type { Principal } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { runEnded, runNotFound } from "../domain/errors.ts";
import { isOutside } from "../domain/run-record.ts";
import { isFinal } from "../domain/run-status.ts";
import { seesProject } from "./find-experiment.ts";

/** Takes down a sign of life of an outside run; answers for how many seconds it is good. Throws RUN_ENDED. */
export async function heartbeat(deps: Deps, runId: string, principal: Principal): Promise<number> {
  const run = await deps.records.runs.find(runId);
  if (run === undefined || !seesProject(principal, run.project)) throw runNotFound(runId);
  // A job's run is kept alive by its job.
  if (!isOutside(run) && !isFinal(run.status)) return 0;
  if (!(await deps.records.runs.sight(runId))) throw runEnded(run);
  return Math.ceil((run.idleLimitMs ?? 0) / 1_000);
}
