import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { tracking } from "@trainyard/contracts";
import { mlflowExperimentId, runRoot } from "../domain/uris.ts";
import type { Json } from "../http/endpoint.ts";
import { lifecycleStage, tagList } from "./experiment-json.ts";

export const RUN_NAME_TAG = "mlflow.runName";
export const USER_TAG = "mlflow.user";
export const PARENT_TAG = "mlflow.parentRunId";

const statusWords: Readonly<Record<tracking.RunStatus, string>> = {
  [tracking.RunStatus.UNSPECIFIED]: "SCHEDULED",
  [tracking.RunStatus.QUEUED]: "SCHEDULED",
  [tracking.RunStatus.RUNNING]: "RUNNING",
  [tracking.RunStatus.COMPLETED]: "FINISHED",
  [tracking.RunStatus.FAILED]: "FAILED",
  [tracking.RunStatus.KILLED]: "KILLED",
};

/** Models that a run was given or made, as the registry knows them. */
export interface RunModels {
  readonly inputs: readonly { readonly modelId: string }[];
  readonly outputs: readonly { readonly modelId: string; readonly step: number }[];
}

export const noModels: RunModels = { inputs: [], outputs: [] };

export function runInfoJson(run: tracking.Run): Json {
  const experimentId = mlflowExperimentId({ id: run.experimentId, name: run.experiment });
  return {
    run_id: run.id,
    run_uuid: run.id,
    run_name: run.name,
    experiment_id: experimentId,
    user_id: run.tags[USER_TAG] ?? run.createdBy.replace(/^\w+:/, ""),
    status: statusWords[run.status],
    ...time("start_time", run.startTime ?? run.startedAt ?? run.createdAt),
    ...time("end_time", run.endedAt),
    artifact_uri: runRoot(experimentId, run.id),
    lifecycle_stage: lifecycleStage(run.lifecycle),
  };
}

/** A run as MLflow's clients read it. */
export function runJson(run: tracking.Run, models: RunModels): Json {
  const metrics = Object.entries(run.metrics).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const tags = run.name === "" ? run.tags : { [RUN_NAME_TAG]: run.name, ...run.tags };
  return {
    info: runInfoJson(run),
    data: {
      metrics: metrics.map(([key, { last, lastStep, lastTimeMs }]) => ({
        key,
        value: doubleJson(last),
        timestamp: Math.round(lastTimeMs),
        step: Number(lastStep),
      })),
      params: tagList(run.paramTexts),
      tags: tagList(tags),
    },
    inputs: {
      dataset_inputs: run.inputs.map(datasetInputJson),
      model_inputs: models.inputs.map(({ modelId }) => ({ model_id: modelId })),
    },
    outputs: {
      model_outputs: models.outputs.map(({ modelId, step }) => ({ model_id: modelId, step })),
    },
  };
}

function datasetInputJson(input: tracking.DatasetInput): Json {
  return {
    tags: tagList(input.tags),
    dataset: {
      name: input.name,
      digest: input.digest,
      source_type: input.sourceType,
      source: input.source,
      ...(input.schema === "" ? {} : { schema: input.schema }),
      ...(input.profile === "" ? {} : { profile: input.profile }),
    },
  };
}

/** A float as JSON: what JSON has no number for is its name, as protobuf's JSON spells it. */
export function doubleJson(value: number): number | string {
  if (Object.is(value, -0)) return "-0";
  return Number.isFinite(value) ? value : String(value);
}

function time(name: string, at: Timestamp | undefined) {
  return at === undefined ? {} : { [name]: timestampMs(at) };
}
