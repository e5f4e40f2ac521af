import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { registry } from "@trainyard/contracts";
import { modelRoot } from "../domain/uris.ts";
import type { Json, MlflowCall } from "../http/endpoint.ts";
import { tagList } from "../tracking/experiment-json.ts";
import { defaultExperiment } from "../tracking/find-experiment.ts";
import { doubleJson } from "../tracking/run-json.ts";

const { listModelMetrics } = registry.LoggedModelService.method;

const statusWords: Readonly<Record<number, string>> = {
  [registry.LoggedModelStatus.PENDING]: "LOGGED_MODEL_PENDING",
  [registry.LoggedModelStatus.READY]: "LOGGED_MODEL_READY",
  [registry.LoggedModelStatus.UPLOAD_FAILED]: "LOGGED_MODEL_UPLOAD_FAILED",
};

/** A logged model as MLflow's clients read it. */
export async function loggedModelJson(
  call: MlflowCall,
  model: registry.CatalogedModel | undefined,
): Promise<Json> {
  if (model === undefined) throw new Error("the registry answered without the model");
  const experiment = await mlflowIdOf(call, model.experimentId);
  const metrics = model.metricsOmitted ? await allMetrics(call, model.id) : model.metrics;
  return {
    info: {
      model_id: model.id,
      experiment_id: experiment,
      name: model.name,
      creation_timestamp_ms: ms(model.createdAt),
      last_updated_timestamp_ms: ms(model.updatedAt),
      artifact_uri: modelRoot(experiment, model.id),
      status: statusWords[model.status] ?? "LOGGED_MODEL_PENDING",
      model_type: model.modelType,
      source_run_id: model.sourceRunId,
      tags: tagList(model.tags),
    },
    data: {
      params: tagList(model.params),
      metrics: metrics.map((metric) => metricJson(model.id, metric)),
    },
  };
}

/** Every point of a model, each once, as MLflow's server answers them. */
async function allMetrics(call: MlflowCall, id: string): Promise<readonly registry.LoggedModelMetric[]> {
  const metrics = new Map<string, registry.LoggedModelMetric>();
  let pageToken = "";
  do {
    const page = await call.rpc(listModelMetrics, { id, pageToken });
    for (const metric of page.metrics) metrics.set(JSON.stringify(metricJson(id, metric)), metric);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return [...metrics.values()];
}

function metricJson(modelId: string, metric: registry.LoggedModelMetric): Json {
  return {
    key: metric.key,
    value: doubleJson(metric.value),
    timestamp: Number(metric.timeMs),
    step: Number(metric.step),
    model_id: modelId,
    run_id: metric.runId,
    ...(metric.datasetName === "" ? {} : { dataset_name: metric.datasetName }),
    ...(metric.datasetDigest === "" ? {} : { dataset_digest: metric.datasetDigest }),
  };
}

/** An experiment's id as MLflow's clients know it, which is "0" for the default one. */
export async function mlflowIdOf(call: MlflowCall, experimentId: string): Promise<string> {
  if (call.principal.kind === "rank") return experimentId;
  const known = await defaultExperiment(call).catch(() => undefined);
  return known?.id === experimentId ? "0" : experimentId;
}

const ms = (at: Timestamp | undefined) => (at === undefined ? 0 : timestampMs(at));
