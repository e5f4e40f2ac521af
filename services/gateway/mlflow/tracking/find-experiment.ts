import { create } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import { doesNotExist, invalidParameter } from "../domain/mlflow-error.ts";
import { DEFAULT_EXPERIMENT, DEFAULT_EXPERIMENT_ID, mlflowExperimentId } from "../domain/uris.ts";
import type { MlflowCall } from "../http/endpoint.ts";
import { inWords } from "../http/reasons.ts";
import { lifecycleStage } from "./experiment-json.ts";

const { getExperiment } = tracking.ExperimentService.method;
const { createExperiment, getRun } = tracking.TrackingService.method;

export const noExperiment = (id: string) => doesNotExist(`No Experiment with id=${id} exists`);

/** The experiment of an MLflow id. Experiment "0" is made when it is asked for first: to MLflow's clients it has always been there. */
export async function findExperiment(call: MlflowCall, id: string): Promise<tracking.Experiment> {
  if (call.principal.kind === "rank") return experimentOfRank(call, call.principal.run ?? "", id);
  if (id === DEFAULT_EXPERIMENT_ID) return defaultExperiment(call);
  const words = { EXPERIMENT_NOT_FOUND: () => noExperiment(id) };
  const { experiment } = await inWords(words, () => call.rpc(getExperiment, { experiment: id }));
  // A name would be found, too, and is no id.
  if (experiment?.id !== id) throw noExperiment(id);
  return experiment;
}

/** A rank knows its own run's experiment, by its id and name. */
async function experimentOfRank(call: MlflowCall, runId: string, id: string): Promise<tracking.Experiment> {
  const { run } = await call.rpc(getRun, { runId });
  if (run === undefined || mlflowExperimentId({ id: run.experimentId, name: run.experiment }) !== id) {
    throw noExperiment(id);
  }
  const { project, experimentId, experiment: name } = run;
  const lifecycle = tracking.Lifecycle.ACTIVE;
  return create(tracking.ExperimentSchema, { id: experimentId, project, name, lifecycle });
}

/** What the tracking service knows an MLflow id by. */
export const experimentRef = (id: string) => (id === DEFAULT_EXPERIMENT_ID ? DEFAULT_EXPERIMENT : id);

export async function experimentByName(
  call: MlflowCall,
  name: string,
): Promise<tracking.Experiment | undefined> {
  const experiment = await call.rpc(getExperiment, { experiment: name }).then(
    (answer) => answer.experiment,
    (error: unknown) =>
      inWords({ EXPERIMENT_NOT_FOUND: () => noExperiment(name) }, () => Promise.reject(error)),
  );
  return experiment?.name === name ? experiment : undefined;
}

export async function defaultExperiment(call: MlflowCall): Promise<tracking.Experiment> {
  const known = await experimentByName(call, DEFAULT_EXPERIMENT).catch(() => undefined);
  if (known !== undefined) return known;
  const { experiment } = await inWords({ EXPERIMENT_EXISTS: () => noExperiment(DEFAULT_EXPERIMENT_ID) }, () =>
    call.rpc(createExperiment, { name: DEFAULT_EXPERIMENT }),
  ).catch(async (error: unknown) => {
    // Somebody else has made it meanwhile, or the caller may only look.
    const made = await experimentByName(call, DEFAULT_EXPERIMENT).catch(() => undefined);
    if (made === undefined) throw error;
    return { experiment: made };
  });
  if (experiment === undefined) throw noExperiment(DEFAULT_EXPERIMENT_ID);
  return experiment;
}

export function assertActiveExperiment(experiment: tracking.Experiment): void {
  const stage = lifecycleStage(experiment.lifecycle);
  if (stage === "active") return;
  throw invalidParameter(
    `The experiment ${mlflowExperimentId(experiment)} must be in the 'active' state. Current state is ${stage}.`,
  );
}
