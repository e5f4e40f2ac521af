import { tracking } from "@trainyard/contracts";
import { integer, list, required, text, texts, word } from "../domain/fields.ts";
import { assertMaxResults } from "../domain/max-results.ts";
import { alreadyExists, doesNotExist, invalidParameter, MlflowError } from "../domain/mlflow-error.ts";
import { assertExperimentName, assertKey, assertLength, limits } from "../domain/names.ts";
import { experimentFilter, experimentOrder } from "../domain/search/experiments.ts";
import { mlflowExperimentId } from "../domain/uris.ts";
import { type Endpoint, endpoint } from "../http/endpoint.ts";
import { collect, nextPage } from "../http/pages.ts";
import { inWords } from "../http/reasons.ts";
import { experimentJson } from "./experiment-json.ts";
import {
  assertActiveExperiment,
  defaultExperiment,
  experimentByName,
  experimentRef,
  findExperiment,
  noExperiment,
} from "./find-experiment.ts";

const {
  searchExperiments,
  updateExperiment,
  setExperimentTags,
  deleteExperimentTags,
  deleteExperiment,
  restoreExperiment,
} = tracking.ExperimentService.method;
const { createExperiment } = tracking.TrackingService.method;

export const tags = list({ key: text, value: text });

/** What clients call the runs or experiments that a search shows. */
export const viewType = word({ ACTIVE_ONLY: 1, DELETED_ONLY: 2, ALL: 3 });

export const views: Readonly<Record<string, tracking.LifecycleView>> = {
  ACTIVE_ONLY: tracking.LifecycleView.ACTIVE,
  DELETED_ONLY: tracking.LifecycleView.DELETED,
  ALL: tracking.LifecycleView.ALL,
};

const MAX_RESULTS = 50_000;
const DEFAULT_RESULTS = 1_000;

/** `mlflow/experiments/…`. */
export const experiments: readonly Endpoint[] = [
  endpoint(
    "POST mlflow/experiments/create",
    { name: required(text), artifact_location: text, tags },
    async (request, call) => {
      assertExperimentName(request.name);
      const given = tagMap(request.tags ?? []);
      for (const [key, value] of Object.entries(given)) assertExperimentTag(key, value);
      if (request.artifact_location !== undefined && request.artifact_location !== "") throw ownLocation();
      const words = {
        EXPERIMENT_EXISTS: () => alreadyExists(`Experiment(name=${request.name}) already exists.`),
      };
      const { experiment } = await inWords(words, () => call.rpc(createExperiment, { name: request.name }));
      if (experiment === undefined) throw new Error("the tracking service answered without the experiment");
      if (Object.keys(given).length > 0)
        await call.rpc(setExperimentTags, {
          experiment: experiment.id,
          tags: given,
        });
      return { experiment_id: mlflowExperimentId(experiment) };
    },
  ),

  endpoint(
    "GET mlflow/experiments/get",
    { experiment_id: required(text) },
    async ({ experiment_id }, call) => ({
      experiment: experimentJson(await findExperiment(call, experiment_id)),
    }),
  ),

  endpoint(
    "GET mlflow/experiments/get-by-name",
    { experiment_name: required(text) },
    async ({ experiment_name: name }, call) => {
      const missing = doesNotExist(`Could not find experiment with name '${name}'`);
      const found = await experimentByName(call, name).catch((error: unknown) => {
        throw error instanceof MlflowError && error.code === "RESOURCE_DOES_NOT_EXIST" ? missing : error;
      });
      if (found === undefined) throw missing;
      return { experiment: experimentJson(found) };
    },
  ),

  endpoint(
    "POST|GET mlflow/experiments/search",
    { view_type: viewType, max_results: integer, order_by: texts, filter: text, page_token: text },
    async (request, call) => {
      const wanted = request.max_results ?? DEFAULT_RESULTS;
      assertMaxResults(wanted, MAX_RESULTS);
      const filter = experimentFilter(request.filter);
      const orderBy = (request.order_by ?? []).map(experimentOrder);
      const view = views[request.view_type ?? "ACTIVE_ONLY"] ?? tracking.LifecycleView.ACTIVE;
      if ((request.page_token ?? "") === "") await defaultExperiment(call).catch(() => undefined);
      const { items, nextPageToken } = await collect(wanted, request.page_token, async (page) => {
        const answer = await call.rpc(searchExperiments, { filter, orderBy, view, page });
        return { items: answer.experiments, nextPageToken: answer.page?.nextPageToken ?? "" };
      });
      return { experiments: items.map(experimentJson), ...nextPage(nextPageToken) };
    },
  ),

  endpoint(
    "POST mlflow/experiments/update",
    { experiment_id: required(text), new_name: required(text) },
    async ({ experiment_id: id, new_name: name }, call) => {
      assertExperimentName(name);
      const words = {
        EXPERIMENT_NOT_FOUND: () => noExperiment(id),
        EXPERIMENT_DELETED: () => new MlflowError("INVALID_STATE", "Cannot rename a non-active experiment."),
        EXPERIMENT_EXISTS: () => alreadyExists(`Experiment(name=${name}) already exists.`),
      };
      await inWords(words, () => call.rpc(updateExperiment, { experiment: experimentRef(id), name }));
      return {};
    },
  ),

  endpoint(
    "POST mlflow/experiments/delete",
    { experiment_id: required(text) },
    async ({ experiment_id: id }, call) => {
      const experiment = await findExperiment(call, id);
      if (experiment.lifecycle === tracking.Lifecycle.DELETED) throw noExperiment(id);
      await call.rpc(deleteExperiment, { experiment: experiment.id });
      return {};
    },
  ),

  endpoint(
    "POST mlflow/experiments/restore",
    { experiment_id: required(text) },
    async ({ experiment_id: id }, call) => {
      const experiment = await findExperiment(call, id);
      if (experiment.lifecycle !== tracking.Lifecycle.DELETED) throw noExperiment(id);
      await call.rpc(restoreExperiment, { experiment: experiment.id });
      return {};
    },
  ),

  endpoint(
    "POST mlflow/experiments/set-experiment-tag",
    { experiment_id: required(text), key: required(text), value: text },
    async ({ experiment_id: id, key, value = "" }, call) => {
      assertExperimentTag(key, value);
      const experiment = await findExperiment(call, id);
      assertActiveExperiment(experiment);
      await call.rpc(setExperimentTags, {
        experiment: experiment.id,
        tags: { [key]: value },
      });
      return {};
    },
  ),

  endpoint(
    "POST mlflow/experiments/delete-experiment-tag",
    { experiment_id: required(text), key: required(text) },
    async ({ experiment_id: id, key }, call) => {
      const experiment = await findExperiment(call, id);
      assertActiveExperiment(experiment);
      const words = {
        TAG_NOT_FOUND: () => doesNotExist(`No tag with name: ${key} in experiment with id ${id}`),
      };
      await inWords(words, () => call.rpc(deleteExperimentTags, { experiment: experiment.id, keys: [key] }));
      return {};
    },
  ),
];

function assertExperimentTag(key: string, value: string): void {
  assertKey(key);
  assertLength("key", limits.entityKey, key);
  assertLength("value", limits.experimentTagValue, value);
}

/** Of several tags with one key the last counts. */
export function tagMap(
  given: readonly { readonly key: string | undefined; readonly value: string | undefined }[],
): Record<string, string> {
  return Object.fromEntries(given.map(({ key = "", value = "" }) => [key, value]));
}

function ownLocation(): MlflowError {
  return invalidParameter(
    "artifact_location: artifacts are kept in this platform's blob store, so an experiment has no location of its own. Leave artifact_location out.",
  );
}
