import { tracking } from "@trainyard/contracts";
import { integer, isRecord, list, message, required, text, texts } from "../domain/fields.ts";
import { invalidParameter } from "../domain/mlflow-error.ts";
import { assertLength, assertRunId } from "../domain/names.ts";
import { mlflowExperimentId } from "../domain/uris.ts";
import { type Endpoint, endpoint } from "../http/endpoint.ts";
import { linkModels } from "../registry/run-models.ts";
import { tagMap, tags } from "./experiments.ts";
import { experimentRef } from "./find-experiment.ts";
import { changing, findRun } from "./run-words.ts";

const { logInputs, searchRuns, setRunTags } = tracking.RunService.method;

const CONTEXT_TAG = "mlflow.data.context";
const MODELS_TAG = "mlflow.log-model.history";
const MAX_SUMMARIES = 1_000;

const dataset = message({
  name: text,
  digest: text,
  source_type: text,
  source: text,
  schema: text,
  profile: text,
});

/** What a run was given and what it made. */
export const inputs: readonly Endpoint[] = [
  endpoint(
    "POST mlflow/runs/log-inputs",
    { run_id: required(text), datasets: list({ tags, dataset }), models: list({ model_id: text }) },
    async ({ run_id: runId, datasets = [], models = [] }, call) => {
      assertRunId(runId);
      const given = datasets.map(({ dataset: of, tags: its = [] }) => datasetInput(of, tagMap(its)));
      if (given.length > 0) await changing(runId, () => call.rpc(logInputs, { runId, inputs: given }));
      const ids = models.flatMap(({ model_id: id }) => (id === undefined ? [] : [{ modelId: id, step: 0 }]));
      if (given.length === 0) await findRun(call, runId);
      if (ids.length > 0) await linkModels(call, runId, { inputs: ids });
      return {};
    },
  ),

  endpoint(
    "POST mlflow/runs/outputs",
    { run_id: required(text), models: required(list({ model_id: text, step: integer })) },
    async ({ run_id: runId, models }, call) => {
      await findRun(call, runId);
      const outputs = models.flatMap(({ model_id: modelId, step = 0 }) =>
        modelId === undefined ? [] : [{ modelId, step }],
      );
      await linkModels(call, runId, { outputs });
      return {};
    },
  ),

  endpoint(
    "POST mlflow/runs/log-model",
    { run_id: required(text), model_json: required(text) },
    async ({ run_id: runId, model_json: json }, call) => {
      const model = parsedModel(json);
      const run = await findRun(call, runId);
      const before: unknown = JSON.parse(run.tags[MODELS_TAG] ?? "[]");
      const history = JSON.stringify([...(Array.isArray(before) ? before : []), model]);
      await changing(runId, () => call.rpc(setRunTags, { runId, tags: { [MODELS_TAG]: history } }));
      return {};
    },
  ),

  endpoint(
    "POST mlflow/experiments/search-datasets",
    { experiment_ids: texts },
    async ({ experiment_ids: ids = [] }, call) => {
      if (ids.length === 0)
        throw invalidParameter("SearchDatasets request must specify at least one experiment_id.");
      if (ids.length > 20) {
        throw invalidParameter(
          `SearchDatasets request cannot specify more than 20 experiment_ids. Received ${ids.length} experiment_ids.`,
        );
      }
      const found = new Map<
        string,
        { experiment_id: string; name: string; digest: string; context: string }
      >();
      let pageToken = "";
      do {
        const page = { pageSize: 500, pageToken };
        const request = {
          experiments: ids.map(experimentRef),
          view: tracking.LifecycleView.ALL,
          fields: { inputs: true },
          page,
        };
        const answer = await call.rpc(searchRuns, request);
        for (const run of answer.runs) {
          const experimentId = mlflowExperimentId({ id: run.experimentId, name: run.experiment });
          for (const { name, digest, context } of run.inputs) {
            found.set(JSON.stringify([experimentId, name, digest, context]), {
              experiment_id: experimentId,
              name,
              digest,
              context,
            });
          }
        }
        pageToken = answer.page?.nextPageToken ?? "";
      } while (pageToken !== "" && found.size < MAX_SUMMARIES);
      return { dataset_summaries: [...found.values()].slice(0, MAX_SUMMARIES) };
    },
  ),
];

type GivenDataset = Readonly<
  Record<"name" | "digest" | "source_type" | "source" | "schema" | "profile", string | undefined>
>;

function datasetInput(given: GivenDataset | undefined, its: Record<string, string>) {
  const {
    name = "",
    digest = "",
    source_type: sourceType = "",
    source = "",
    schema = "",
    profile = "",
  } = given ?? {};
  assertLength("name", 500, name);
  assertLength("digest", 36, digest);
  assertLength("source", 65_535, source);
  assertLength("schema", 1_048_575, schema);
  assertLength("profile", 16_777_215, profile);
  for (const [key, value] of Object.entries(its)) {
    assertLength("key", 255, key);
    assertLength("value", 500, value);
  }
  return { name, digest, sourceType, source, schema, profile, context: its[CONTEXT_TAG] ?? "", tags: its };
}

function parsedModel(json: string): unknown {
  let model: unknown;
  try {
    model = JSON.parse(json);
  } catch {
    throw invalidParameter(`Malformed model info. \n ${json} \n is not a valid JSON.`);
  }
  const missing = ["artifact_path", "flavors", "utc_time_created", "run_id"].filter(
    (field) => !isRecord(model) || !(field in model),
  );
  if (missing.length === 0) return model;
  throw invalidParameter(
    `Model json is missing mandatory fields: {${missing.map((field) => `'${field}'`).join(", ")}}`,
  );
}
