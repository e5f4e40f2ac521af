import { tracking } from "@trainyard/contracts";
import { integer, text, texts } from "../domain/fields.ts";
import { assertMaxResults } from "../domain/max-results.ts";
import { invalidParameter, invalidValue } from "../domain/mlflow-error.ts";
import { runFilter, runOrder } from "../domain/search/runs.ts";
import { type Endpoint, endpoint } from "../http/endpoint.ts";
import { collect, nextPage } from "../http/pages.ts";
import { modelsOfRuns } from "../registry/run-models.ts";
import { views, viewType } from "./experiments.ts";
import { experimentRef } from "./find-experiment.ts";
import { noModels, runJson } from "./run-json.ts";

const { searchRuns: search } = tracking.RunService.method;

const MAX_RESULTS = 50_000;
const DEFAULT_RESULTS = 1_000;

/** `mlflow/runs/search`. */
export const searchRuns: readonly Endpoint[] = [
  endpoint(
    "POST mlflow/runs/search",
    {
      experiment_ids: texts,
      filter: text,
      run_view_type: viewType,
      max_results: integer,
      order_by: texts,
      page_token: text,
    },
    async (request, call) => {
      const wanted = request.max_results ?? DEFAULT_RESULTS;
      if (wanted > MAX_RESULTS) throw tooMany(wanted);
      assertMaxResults(wanted, MAX_RESULTS);
      const filter = runFilter(request.filter);
      const orderBy = (request.order_by ?? []).map(runOrder);
      const view = views[request.run_view_type ?? "ACTIVE_ONLY"] ?? tracking.LifecycleView.ACTIVE;
      const experiments = (request.experiment_ids ?? []).map(experimentRef);
      // Here no experiment means none, where to the tracking service it means all.
      if (experiments.length === 0) return { runs: [] };
      const fields = { allMetrics: true, allParams: true, allTags: true, inputs: true };
      const { items, nextPageToken } = await collect(wanted, request.page_token, async (page) => {
        const answer = await call.rpc(search, { experiments, filter, orderBy, view, page, fields });
        return { items: answer.runs, nextPageToken: answer.page?.nextPageToken ?? "" };
      });
      const models = await modelsOfRuns(
        call,
        items.map(({ id }) => id),
      );
      return {
        runs: items.map((run) => runJson(run, models.get(run.id) ?? noModels)),
        ...nextPage(nextPageToken),
      };
    },
  ),
];

function tooMany(wanted: number) {
  const { message } = invalidValue("max_results", wanted, " Hint: Value was of type 'int'.");
  return invalidParameter(`${message} See the API docs for more information about request parameters.`);
}
