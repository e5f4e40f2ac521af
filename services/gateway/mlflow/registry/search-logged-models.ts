import { registry } from "@trainyard/contracts";
import { flag, integer, list, required, text, texts } from "../domain/fields.ts";
import { invalidParameter } from "../domain/mlflow-error.ts";
import { loggedModelFields, loggedModelFilter, loggedModelOrder } from "../domain/search/logged-models.ts";
import { type Endpoint, endpoint, type Json, type MlflowCall } from "../http/endpoint.ts";
import { collect, nextPage } from "../http/pages.ts";
import { defaultExperiment } from "../tracking/find-experiment.ts";
import { clausesOf } from "./catalog-request.ts";
import { loggedModelJson } from "./logged-model-json.ts";

const { searchLoggedModels: search } = registry.LoggedModelService.method;

const DEFAULT_RESULTS = 100;
const MAX_RESULTS = 1_000;

const datasetFilter = { dataset_name: text, dataset_digest: text };

/** `mlflow/logged-models/search`. */
export const searchLoggedModels: readonly Endpoint[] = [
  endpoint(
    "POST mlflow/logged-models/search",
    {
      experiment_ids: required(texts),
      filter: text,
      datasets: list(datasetFilter),
      max_results: integer,
      order_by: list({ field_name: text, ascending: flag, ...datasetFilter }),
      page_token: text,
    },
    async (request, call) => {
      const datasets = (request.datasets ?? []).map(datasetOf);
      const clauses = clausesOf(loggedModelFilter(request.filter), loggedModelFields).map(withStatus);
      const orderBy = (request.order_by ?? []).map(orderOf);
      const experimentIds = await Promise.all(request.experiment_ids.map((id) => ownId(call, id)));
      const wanted = Math.min(request.max_results || DEFAULT_RESULTS, MAX_RESULTS);
      if (experimentIds.length === 0) return { models: [] };
      const { items, nextPageToken } = await collect(wanted, request.page_token, async (page) => {
        const answer = await call.rpc(search, { experimentIds, clauses, orderBy, datasets, page });
        return { items: answer.models, nextPageToken: answer.page?.nextPageToken ?? "" };
      });
      // One after the other: each may have very many points to be read.
      const models: Json[] = [];
      for (const model of items) models.push(await loggedModelJson(call, model));
      return { models, ...nextPage(nextPageToken) };
    },
  ),
];

async function ownId(call: MlflowCall, id: string): Promise<string> {
  return id === "0" ? (await defaultExperiment(call)).id : id;
}

interface GivenDataset {
  readonly dataset_name: string | undefined;
  readonly dataset_digest: string | undefined;
}

function datasetOf({ dataset_name: name, dataset_digest: digest = "" }: GivenDataset) {
  if (name) return { name, digest };
  throw invalidParameter("`dataset_name` in the `datasets` clause must be specified.");
}

interface GivenOrder extends GivenDataset {
  readonly field_name: string | undefined;
  readonly ascending: boolean | undefined;
}

function orderOf({
  field_name: field,
  ascending = true,
  dataset_name: name,
  dataset_digest: digest,
}: GivenOrder) {
  if (field === undefined) {
    throw invalidParameter("`field_name` in the `order_by` clause must be specified.");
  }
  if (digest && !name) {
    throw invalidParameter("`dataset_digest` can only be specified if `dataset_name` is also specified.");
  }
  return { field: loggedModelOrder(field), descending: !ascending };
}

/** The registry's words for a status are MLflow's in lower case. */
function withStatus<T extends { readonly field: string; readonly values: string[] }>(clause: T): T {
  if (clause.field !== "status") return clause;
  return { ...clause, values: clause.values.map((value) => value.toLowerCase()) };
}
