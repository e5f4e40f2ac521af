import type { ServiceImpl } from "@connectrpc/connect";
import type { tracking } from "@trainyard/contracts";
import { actorOf, principalOf, projectOf } from "@trainyard/service";
import { encodePageToken, type Json } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { limitExceeded } from "../domain/errors.ts";
import { MAX_EXPERIMENTS_PER_SEARCH, MAX_KEYS_PER_SEARCH } from "../domain/limits.ts";
import { parseFilter } from "../domain/search/parse-filter.ts";
import { parseOrder } from "../domain/search/parse-order.ts";
import { runVocabulary } from "../domain/search/vocabulary.ts";
import { searchRuns } from "../operations/search-runs.ts";
import { type FoundFields, viewFoundRuns } from "../operations/view-found-runs.ts";
import { viewFromProto } from "../wire/lifecycle.ts";
import { searchPage, searchPosition } from "./search-page.ts";

type Methods = Pick<ServiceImpl<typeof tracking.RunService>, "searchRuns">;

/** Runs by what they are and did. */
export function runSearchApi(deps: Deps): Methods {
  return {
    async searchRuns(request, context) {
      const project = projectOf(context);
      const principal = actorOf(principalOf(context));
      const { experiments, filter, orderBy, plainMetricKeys, favouritesOnly } = request;
      assertCount("experiments", "MAX_EXPERIMENTS_PER_SEARCH", MAX_EXPERIMENTS_PER_SEARCH, experiments);
      const options = { vocabulary: runVocabulary, plainMetricKeys };
      const view = viewFromProto(request.view);
      const favouritesOf = favouritesOnly ? principal : null;
      const query: Json = {
        list: "search runs",
        ...{ project, experiments, filter, orderBy, plainMetricKeys, view, favouritesOf },
      };
      const page = searchPage(request.page, query);
      const fields = fieldsOf(request.fields);
      const found = await searchRuns(deps, {
        project,
        experiments,
        comparisons: parseFilter(filter, options),
        order: parseOrder(orderBy, options),
        view,
        showsMetrics: fields.metrics.length > 0,
        limit: page.size + 1,
        ...(favouritesOf === null ? {} : { favouritesOf }),
        ...(page.after === undefined ? {} : { after: page.after }),
      });
      const ids = found.slice(0, page.size).map(({ id }) => id);
      const { runs, lastId, whole } = await viewFoundRuns(deps, ids, fields, principal);
      const last = whole && found.length <= page.size ? undefined : found.find(({ id }) => id === lastId);
      const nextPageToken = last === undefined ? "" : encodePageToken(query, searchPosition(last));
      return { runs: [...runs], page: { nextPageToken } };
    },
  };
}

function fieldsOf(fields: tracking.RunFields | undefined): FoundFields {
  const columns = (name: string, all: boolean | undefined, keys: readonly string[] = []) => {
    if (all === true) return "all" as const;
    assertCount(`fields.${name}`, "MAX_KEYS_PER_SEARCH", MAX_KEYS_PER_SEARCH, keys);
    return keys;
  };
  return {
    metrics: columns("metric_keys", fields?.allMetrics, fields?.metricKeys),
    params: columns("param_keys", fields?.allParams, fields?.paramKeys),
    tags: columns("tag_keys", fields?.allTags, fields?.tagKeys),
    inputs: fields?.inputs ?? false,
    details: fields?.details ?? false,
  };
}

function assertCount(field: string, limit: string, maximum: number, given: readonly string[]): void {
  if (given.length > maximum) throw limitExceeded(field, limit, maximum, given.length, "in a call");
}
