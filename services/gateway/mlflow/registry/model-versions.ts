import { registry } from "@trainyard/contracts";
import { flag, integer, required, text, texts } from "../domain/fields.ts";
import { invalidParameter } from "../domain/mlflow-error.ts";
import { assertKey, assertModelName, modelVersionNumber } from "../domain/names.ts";
import { assertNoPrompt, withoutPrompts } from "../domain/refusals.ts";
import { modelFields, versionFilter, versionOrder } from "../domain/search/models.ts";
import { canonicalStage } from "../domain/stages.ts";
import { type Endpoint, endpoint, type MlflowCall } from "../http/endpoint.ts";
import { collect, nextPage } from "../http/pages.ts";
import { inWords } from "../http/reasons.ts";
import { tagMap, tags } from "../tracking/experiments.ts";
import { clausesOf } from "./catalog-request.ts";
import { versionJson } from "./model-json.ts";
import { downloadUri, resolveSource } from "./model-source.ts";
import { findModel, findVersion, versionWords } from "./model-words.ts";
import { moveToStage } from "./move-to-stage.ts";
import { assertRegistryTag } from "./registered-models.ts";

const { registerModelVersion } = registry.RegistryService.method;
const {
  updateModelVersion,
  deleteModelVersion,
  setModelVersionTags,
  deleteModelVersionTags,
  searchModelVersions,
} = registry.CatalogService.method;

const DEFAULT_RESULTS = 10_000;
const MAX_RESULTS = 200_000;
const DEFAULT_ORDER = ["last_updated_timestamp DESC", "name ASC", "version_number DESC"];
const named = { name: required(text), version: required(text) };

/** `mlflow/model-versions/…`. */
export const modelVersions: readonly Endpoint[] = [
  endpoint(
    "POST mlflow/model-versions/create",
    {
      name: required(text),
      source: required(text),
      run_id: text,
      tags,
      run_link: text,
      description: text,
      model_id: text,
    },
    async (request, call) => {
      const { name: model, description: notes = "" } = request;
      const given = tagMap(request.tags ?? []);
      assertNoPrompt(Object.keys(given));
      const from = { source: request.source, runId: request.run_id ?? "", modelId: request.model_id ?? "" };
      const {
        source: artifactUri,
        runId: sourceRunId,
        modelId: loggedModelId,
      } = await resolveSource(call, from);
      assertModelName(model);
      for (const [key, value] of Object.entries(given)) assertRegistryTag(key, value);
      await findModel(call, model);
      const version = { model, artifactUri, sourceRunId, loggedModelId, notes, tags: given };
      const { modelVersion } = await call.rpc(registerModelVersion, { ...version });
      return { model_version: await json(call, modelVersion) };
    },
  ),

  endpoint("GET mlflow/model-versions/get", named, async (request, call) => {
    const { name, version } = checked(request);
    return { model_version: await json(call, await findVersion(call, name, version)) };
  }),

  endpoint("PATCH mlflow/model-versions/update", { ...named, description: text }, async (request, call) => {
    const { name: model, version } = checked(request);
    const { description: notes } = request;
    const answer = await inWords(versionWords(model, version), () =>
      call.rpc(updateModelVersion, {
        model,
        version,
        ...(notes === undefined ? {} : { notes }),
      }),
    );
    return { model_version: await json(call, answer.modelVersion) };
  }),

  endpoint("DELETE mlflow/model-versions/delete", named, async (request, call) => {
    const { name: model, version } = checked(request);
    const names = { model, version };
    await inWords(versionWords(model, version), () => call.rpc(deleteModelVersion, names));
    return {};
  }),

  endpoint(
    "POST mlflow/model-versions/transition-stage",
    { ...named, stage: required(text), archive_existing_versions: flag },
    async (request, call) => {
      const { name: stageName, stage } = canonicalStage(request.stage);
      if (request.archive_existing_versions === true && !["Staging", "Production"].includes(stageName)) {
        throw invalidParameter(
          `Model version transition cannot archive existing model versions because '${request.stage}' is not an Active stage. Valid stages are ['Staging', 'Production']`,
        );
      }
      const { name, version } = checked(request);
      const moved = await moveToStage(call, await findVersion(call, name, version), stage);
      return { model_version: await json(call, moved) };
    },
  ),

  endpoint("GET mlflow/model-versions/get-download-uri", named, async (request, call) => {
    const { name, version } = checked(request);
    return { artifact_uri: await downloadUri(call, await findVersion(call, name, version)) };
  }),

  endpoint(
    "GET mlflow/model-versions/search",
    { filter: text, max_results: integer, order_by: texts, page_token: text },
    async (request, call) => {
      const wanted = request.max_results ?? DEFAULT_RESULTS;
      assertResults(wanted);
      const filter = withoutPrompts(versionFilter(request.filter));
      const clauses = clausesOf(filter, modelFields);
      const orderBy = versionOrder(request.order_by ?? DEFAULT_ORDER);
      const { items, nextPageToken } = await collect(wanted, request.page_token, async (page) => {
        const answer = await call.rpc(searchModelVersions, { clauses, orderBy, page });
        return { items: answer.modelVersions, nextPageToken: answer.page?.nextPageToken ?? "" };
      });
      const aliases = await aliasesOf(call, items);
      return {
        model_versions: items.map((version) => versionJson(version, aliases.get(version.model))),
        ...nextPage(nextPageToken),
      };
    },
  ),

  endpoint(
    "POST mlflow/model-versions/set-tag",
    { ...named, key: required(text), value: text },
    async (request, call) => {
      const { name: model, version } = checked(request);
      const { key, value = "" } = request;
      assertRegistryTag(key, value);
      assertNoPrompt([key]);
      const given = { model, version, tags: { [key]: value } };
      await inWords(versionWords(model, version), () => call.rpc(setModelVersionTags, given));
      return {};
    },
  ),

  endpoint(
    "DELETE mlflow/model-versions/delete-tag",
    { ...named, key: required(text) },
    async (request, call) => {
      const { name: model, version } = checked(request);
      assertKey(request.key);
      const given = { model, version, keys: [request.key] };
      await inWords(versionWords(model, version), () => call.rpc(deleteModelVersionTags, given));
      return {};
    },
  ),
];

function checked({ name, version }: { readonly name: string; readonly version: string }) {
  assertModelName(name);
  return { name, version: modelVersionNumber(version) };
}

async function json(call: MlflowCall, version: registry.ModelVersion | undefined) {
  if (version === undefined) throw new Error("the registry answered without the model version");
  return versionJson(version, (await findModel(call, version.model)).aliases);
}

async function aliasesOf(call: MlflowCall, versions: readonly registry.ModelVersion[]) {
  const names = [...new Set(versions.map(({ model }) => model))];
  const models = await Promise.all(names.map((name) => findModel(call, name)));
  return new Map(models.map(({ name, aliases }) => [name, aliases]));
}

function assertResults(wanted: number): void {
  if (wanted < 1) {
    throw invalidParameter(`Invalid value for max_results. It must be a positive integer, but got ${wanted}`);
  }
  if (wanted <= MAX_RESULTS) return;
  throw invalidParameter(
    `Invalid value for request parameter max_results. It must be at most ${MAX_RESULTS}, but got value ${wanted}`,
  );
}
