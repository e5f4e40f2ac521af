import type { ServiceImpl } from "@connectrpc/connect";
import type { tracking } from "@trainyard/contracts";
import { projectOf } from "@trainyard/service";
import { encodePageToken, type Json } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import type { OrderKey } from "../domain/search/comparison.ts";
import { parseFilter } from "../domain/search/parse-filter.ts";
import { parseOrder } from "../domain/search/parse-order.ts";
import { completeOrder } from "../domain/search/plan.ts";
import { experimentVocabulary } from "../domain/search/vocabulary.ts";
import { experimentToProto } from "../wire/experiment-to-proto.ts";
import { viewFromProto } from "../wire/lifecycle.ts";
import { searchPage, searchPosition } from "./search-page.ts";

type Methods = Pick<ServiceImpl<typeof tracking.ExperimentService>, "searchExperiments">;

const lastUpdatedFirst: OrderKey = {
  column: { kind: "attribute", name: "last_update_time" },
  descending: true,
};

/** Experiments by what is said about them. */
export function experimentSearchApi(deps: Deps): Methods {
  const { experiments, searches } = deps.records;
  return {
    async searchExperiments(request, context) {
      const project = projectOf(context);
      const { filter, orderBy } = request;
      const options = { vocabulary: experimentVocabulary };
      const view = viewFromProto(request.view);
      const query: Json = { list: "search experiments", project, filter, orderBy, view };
      const page = searchPage(request.page, query);
      const found = await searches.find({
        things: "experiments",
        scope: { project, ...(view === "all" ? {} : { lifecycle: view }) },
        metricScope: {},
        comparisons: parseFilter(filter, options),
        order: completeOrder(parseOrder(orderBy, options), lastUpdatedFirst),
        limit: page.size + 1,
        ...(page.after === undefined ? {} : { after: page.after }),
      });
      const shown = found.slice(0, page.size);
      const byId = new Map(
        (await experiments.findMany(shown.map(({ id }) => id))).map((each) => [each.id, each]),
      );
      const last = found.length > page.size ? shown.at(-1) : undefined;
      return {
        experiments: shown.flatMap(({ id }) => byId.get(id) ?? []).map(experimentToProto),
        page: { nextPageToken: last === undefined ? "" : encodePageToken(query, searchPosition(last)) },
      };
    },
  };
}
