import { registry, stageWord } from "@trainyard/contracts";
import { integer, required, text, texts } from "../domain/fields.ts";
import { alreadyExists, invalidParameter, invalidValue } from "../domain/mlflow-error.ts";
import { assertKey, assertLength, assertModelName, limits } from "../domain/names.ts";
import { assertNoPrompt, withoutPrompts } from "../domain/refusals.ts";
import { modelFields, modelFilter, modelOrder } from "../domain/search/models.ts";
import { canonicalStage, stageNames } from "../domain/stages.ts";
import { type Endpoint, endpoint, type MlflowCall } from "../http/endpoint.ts";
import { collect, nextPage } from "../http/pages.ts";
import { inWords } from "../http/reasons.ts";
import { tagMap, tags } from "../tracking/experiments.ts";
import { clausesOf } from "./catalog-request.ts";
import { modelJson, newestOfStages, versionJson } from "./model-json.ts";
import { findModel, modelNameWords, versionsOf } from "./model-words.ts";

const { createModel, updateModel, deleteModel, setModelTags, deleteModelTags, searchModels } =
  registry.CatalogService.method;

const DEFAULT_RESULTS = 100;
const MAX_RESULTS = 1_000;
const name = required(text);

/** `mlflow/registered-models/…`, but aliases. */
export const registeredModels: readonly Endpoint[] = [
  endpoint(
    "POST mlflow/registered-models/create",
    { name, tags, description: text },
    async (request, call) => {
      assertModelName(request.name);
      const given = tagMap(request.tags ?? []);
      assertNoPrompt(Object.keys(given));
      for (const [key, value] of Object.entries(given)) assertRegistryTag(key, value);
      const { description = "" } = request;
      const words = {
        ...modelNameWords(request.name),
        MODEL_EXISTS: () => alreadyExists(`Registered Model (name=${request.name}) already exists.`),
      };
      const { model } = await inWords(words, () =>
        call.rpc(createModel, { name: request.name, description, tags: given }),
      );
      if (model === undefined) throw new Error("the registry answered without the model");
      return { registered_model: modelJson(model, []) };
    },
  ),

  endpoint("GET mlflow/registered-models/get", { name }, async (request, call) => {
    assertModelName(request.name);
    return { registered_model: await fullModel(call, await findModel(call, request.name)) };
  }),

  endpoint(
    "PATCH mlflow/registered-models/update",
    { name, description: text },
    async ({ name: model, description = "" }, call) => {
      const answer = await inWords(modelNameWords(model), () =>
        call.rpc(updateModel, { model, description }),
      );
      return { registered_model: await fullModel(call, answer.model) };
    },
  ),

  endpoint(
    "POST mlflow/registered-models/rename",
    { name, new_name: required(text) },
    async ({ name: model, new_name: to }, call) => {
      assertModelName(to, "new_name");
      const words = {
        ...modelNameWords(model),
        MODEL_EXISTS: () => alreadyExists(`Registered Model (name=${to}) already exists.`),
      };
      const answer = await inWords(words, () => call.rpc(updateModel, { model, name: to }));
      return { registered_model: await fullModel(call, answer.model) };
    },
  ),

  endpoint("DELETE mlflow/registered-models/delete", { name }, async ({ name: model }, call) => {
    await inWords(modelNameWords(model), () => call.rpc(deleteModel, { model }));
    return {};
  }),

  endpoint(
    "GET mlflow/registered-models/search",
    { filter: text, max_results: integer, order_by: texts, page_token: text },
    async (request, call) => {
      const wanted = request.max_results ?? DEFAULT_RESULTS;
      assertResults(wanted);
      const filter = withoutPrompts(modelFilter(request.filter));
      const clauses = clausesOf(filter, modelFields);
      const orderBy = modelOrder(request.order_by ?? []);
      const { items, nextPageToken } = await collect(wanted, request.page_token, async (page) => {
        const answer = await call.rpc(searchModels, { clauses, orderBy, page });
        return { items: answer.models, nextPageToken: answer.page?.nextPageToken ?? "" };
      });
      const models = await Promise.all(items.map((model) => fullModel(call, model)));
      return { registered_models: models, ...nextPage(nextPageToken) };
    },
  ),

  endpoint(
    "POST|GET mlflow/registered-models/get-latest-versions",
    { name, stages: texts },
    async ({ name: model, stages = [] }, call) => {
      const found = await findModel(call, model);
      const wanted = new Set(
        (stages.length === 0 ? Object.values(stageNames) : stages).map(
          (stage) => canonicalStage(stage).stage,
        ),
      );
      const versions = newestOfStages(await versionsOf(call, model)).filter(({ stage }) =>
        wanted.has(stageWord(stage) ?? "staging"),
      );
      return { model_versions: versions.map((version) => versionJson(version, found.aliases)) };
    },
  ),

  endpoint(
    "POST mlflow/registered-models/set-tag",
    { name, key: required(text), value: text },
    async ({ name: model, key, value = "" }, call) => {
      assertModelName(model);
      assertRegistryTag(key, value);
      assertNoPrompt([key]);
      await inWords(modelNameWords(model), () => call.rpc(setModelTags, { model, tags: { [key]: value } }));
      return {};
    },
  ),

  endpoint(
    "DELETE mlflow/registered-models/delete-tag",
    { name, key: required(text) },
    async ({ name: model, key }, call) => {
      assertKey(key);
      await inWords(modelNameWords(model), () => call.rpc(deleteModelTags, { model, keys: [key] }));
      return {};
    },
  ),
];

async function fullModel(call: MlflowCall, model: registry.Model | undefined) {
  if (model === undefined) throw new Error("the registry answered without the model");
  return modelJson(model, await versionsOf(call, model.name));
}

export function assertRegistryTag(key: string, value: string): void {
  assertKey(key);
  assertLength("key", limits.entityKey, key);
  assertLength("value", limits.registryTagValue, value);
}

function assertResults(wanted: number): void {
  if (wanted < 1) {
    throw invalidParameter(`Invalid value for max_results. It must be a positive integer, but got ${wanted}`);
  }
  if (wanted <= MAX_RESULTS) return;
  const { message } = invalidValue("max_results", String(wanted), " Hint: Value was of type 'str'.");
  throw invalidParameter(`${message} See the API docs for more information about request parameters.`);
}
