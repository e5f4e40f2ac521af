import type { Principal } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { runEnded, runNotFound } from "../domain/errors.ts";
import { isOutside, type RunRecord } from "../domain/run-record.ts";
import { isFinal } from "../domain/run-status.ts";
import { assertNotDeleted } from "./change-run.ts";
import { seesProject } from "./find-experiment.ts";

/** Takes down a sign of life of an outside run; answers for how many seconds it is good. Throws RUN_DELETED and RUN_ENDED. */
export async function heartbeat(deps: Deps, runId: string, principal: Principal): Promise<number> {
  const run = await deps.records.runs.find(runId);
  if (run === undefined || !seesProject(principal, run.project)) throw runNotFound(runId);
  await assertNotDeleted(deps, run);
  // A job's run is kept alive by its job.
  if (!isOutside(run) && !isFinal(run.status)) return 0;
  if (!(await deps.records.runs.sight(runId))) throw runEnded(run);
  return Math.ceil((run.idleLimitMs ?? 0) / 1_000);
}

/** The share of its idle limit that an outside run may be silent before a call that writes beside it writes it too. */
const FRESH_SHARE = 0.25;

/**
 * Takes down that a call came for an outside run. Not each: of a client that logs all the time one call in a while is sign
 * enough, and costs the others nothing.
 */
export async function signOfLife(deps: Deps, run: RunRecord): Promise<void> {
  if (!isOutside(run) || isFinal(run.status)) return;
  const silentMs = deps.now().getTime() - (run.seenAt?.getTime() ?? 0);
  if (silentMs > (run.idleLimitMs ?? 0) * FRESH_SHARE) await deps.records.runs.sight(run.id);
}
