import { tracking } from "@trainyard/contracts";
import { isId } from "@trainyard/domain";
import { doesNotExist, invalidParameter } from "../domain/mlflow-error.ts";
import type { MlflowCall } from "../http/endpoint.ts";
import { inWords } from "../http/reasons.ts";

const { getRun } = tracking.TrackingService.method;

const noRun = (runId: string) => doesNotExist(`Run with id=${runId} not found`);

export const inactiveRun = (runId: string) =>
  invalidParameter(`The run ${runId} must be in the 'active' state. Current state is deleted.`);

/** What MLflow says where a service refuses to read or change a run. */
export const runWords = (runId: string) => ({
  RUN_NOT_FOUND: () => noRun(runId),
  RUN_DELETED: () => inactiveRun(runId),
});

/** A run by its id. */
export async function findRun(call: MlflowCall, runId: string): Promise<tracking.Run> {
  if (!isId("run", runId)) throw noRun(runId);
  const { run } = await inWords(runWords(runId), () => call.rpc(getRun, { runId }));
  if (run === undefined) throw noRun(runId);
  return run;
}

/** A call that changes a run. */
export function changing<T>(runId: string, call: () => Promise<T>): Promise<T> {
  if (!isId("run", runId)) throw noRun(runId);
  return inWords(runWords(runId), call);
}
