import { registry } from "@trainyard/contracts";
import { flag, required, text, word } from "../domain/fields.ts";
import { doesNotExist, invalidParameter } from "../domain/mlflow-error.ts";
import { runName } from "../domain/run-name.ts";
import { type Endpoint, endpoint } from "../http/endpoint.ts";
import { inWords } from "../http/reasons.ts";
import { tagMap, tags } from "../tracking/experiments.ts";
import { assertActiveExperiment, findExperiment } from "../tracking/find-experiment.ts";
import { loggedModelJson } from "./logged-model-json.ts";
import { findLoggedModel, modelWords } from "./logged-model-words.ts";

const { createLoggedModel, updateLoggedModel, deleteLoggedModel } = registry.LoggedModelService.method;

const status = word({
  LOGGED_MODEL_STATUS_UNSPECIFIED: 0,
  LOGGED_MODEL_PENDING: 1,
  LOGGED_MODEL_READY: 2,
  LOGGED_MODEL_UPLOAD_FAILED: 3,
});

const statuses: Readonly<Record<string, registry.LoggedModelStatus>> = {
  LOGGED_MODEL_PENDING: registry.LoggedModelStatus.PENDING,
  LOGGED_MODEL_READY: registry.LoggedModelStatus.READY,
  LOGGED_MODEL_UPLOAD_FAILED: registry.LoggedModelStatus.UPLOAD_FAILED,
};

const path = "mlflow/logged-models/{model_id}";

/** `mlflow/logged-models…`, but the search. */
export const loggedModels: readonly Endpoint[] = [
  endpoint(
    "POST mlflow/logged-models",
    { experiment_id: required(text), name: text, model_type: text, source_run_id: text, params: tags, tags },
    async (request, call) => {
      assertLoggedModelName(request.name);
      const experiment = await findExperiment(call, request.experiment_id);
      assertActiveExperiment(experiment);
      const { model } = await call.rpc(createLoggedModel, {
        experimentId: experiment.id,
        name: request.name || runName([Math.random(), Math.random(), Math.random()]),
        modelType: request.model_type ?? "",
        sourceRunId: request.source_run_id ?? "",
        params: tagMap(request.params ?? []),
        tags: tagMap(request.tags ?? []),
      });
      return { model: await loggedModelJson(call, model) };
    },
  ),

  endpoint(
    `GET ${path}`,
    { model_id: required(text), allow_deleted: flag },
    async ({ model_id: id, allow_deleted: deleted = false }, call) => ({
      model: await loggedModelJson(call, await findLoggedModel(call, id, deleted)),
    }),
  ),

  endpoint(
    `PATCH ${path}`,
    { model_id: required(text), status: required(status) },
    async ({ model_id: id, status: to }, call) => {
      const next = statuses[to] ?? registry.LoggedModelStatus.UNSPECIFIED;
      const { model } = await inWords(modelWords(id), () =>
        call.rpc(updateLoggedModel, { id, status: next }),
      );
      return { model: await loggedModelJson(call, model) };
    },
  ),

  endpoint(`DELETE ${path}`, { model_id: required(text) }, async ({ model_id: id }, call) => {
    await inWords(modelWords(id), () => call.rpc(deleteLoggedModel, { id }));
    return {};
  }),

  endpoint(
    `PATCH ${path}/tags`,
    { model_id: required(text), tags },
    async ({ model_id: id, tags: given = [] }, call) => {
      const update = { id, setTags: tagMap(given) };
      await inWords(modelWords(id), () => call.rpc(updateLoggedModel, update));
      return {};
    },
  ),

  endpoint(
    `DELETE ${path}/tags/{tag_key}`,
    { model_id: required(text), tag_key: required(text) },
    async ({ model_id: id, tag_key: key }, call) => {
      const words = {
        ...modelWords(id),
        TAG_NOT_FOUND: () => doesNotExist(`No tag with key '${key}' found for model with ID '${id}'.`),
      };
      const update = { id, deleteTags: [key] };
      await inWords(words, () => call.rpc(updateLoggedModel, update));
      return {};
    },
  ),

  endpoint(
    `POST ${path}/params`,
    { model_id: required(text), params: tags },
    async ({ model_id: id, params = [] }, call) => {
      const update = { id, params: tagMap(params) };
      await inWords(modelWords(id), () => call.rpc(updateLoggedModel, update));
      return {};
    },
  ),
];

function assertLoggedModelName(name: string | undefined): void {
  if (name === undefined || !/[/:.%"']/.test(name)) return;
  throw invalidParameter(
    `Invalid model name ('${name}') provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%', '"', "'")`,
  );
}
