import { isId } from "@trainyard/domain";
import type { Deps } from "../deps.ts";
import { experimentNotFound } from "../domain/errors.ts";
import type { Experiment } from "../domain/experiment.ts";
import type { LifecycleView } from "../domain/lifecycle.ts";
import type { Comparison, OrderKey } from "../domain/search/comparison.ts";
import type { Condition } from "../domain/search/compile.ts";
import { completeOrder, type Search } from "../domain/search/plan.ts";
import type { Found } from "../store/search.ts";
import { foldCalls } from "./metric-worker.ts";

/** A search of runs, parsed. */
export interface RunSearch {
  readonly project: string;
  /** Ids or names; empty means all of the project. */
  readonly experiments: readonly string[];
  readonly comparisons: readonly Comparison[];
  readonly order: readonly OrderKey[];
  readonly view: LifecycleView;
  readonly favouritesOf?: string;
  /** Whether metrics of what is found are shown: those have to be up to date too. */
  readonly showsMetrics: boolean;
  readonly after?: Search["after"];
  readonly limit: number;
}

const newestFirst: OrderKey = {
  column: { kind: "attribute", name: "start_time" },
  descending: true,
};

/** Finds runs in order. What was logged before this is called is seen. Throws EXPERIMENT_NOT_FOUND. */
export async function searchRuns(deps: Deps, search: RunSearch): Promise<Found[]> {
  const { comparisons, after, limit, favouritesOf } = search;
  const order = completeOrder(search.order, newestFirst);
  const joins = [...comparisons, ...order].some(({ column }) => column.kind === "metric");
  const [named] = await Promise.all([
    namedExperiments(deps, search),
    ...(joins || search.showsMetrics ? [foldCalls(deps)] : []),
  ]);
  const within = named === undefined ? {} : { experimentId: { $in: named.map(({ id }) => id) } };
  // Summaries are indexed by experiment, so that of a whole project is asked by its experiments too.
  const metricScope =
    named !== undefined || !joins
      ? within
      : { experimentId: { $in: await deps.records.experiments.ids(search.project) } };
  const conditions: Condition[] = [
    // Experiments are of one project: an index on them covers the scope alone.
    named === undefined ? { project: search.project } : within,
    await lifecycleCondition(deps, search, named),
  ];
  if (favouritesOf !== undefined) {
    conditions.push({ _id: { $in: await deps.records.favourites.of(favouritesOf) } });
  }
  return await deps.records.searches.find({
    things: "runs",
    scope: { $and: conditions },
    metricScope,
    comparisons,
    order,
    limit,
    ...(after === undefined ? {} : { after }),
  });
}

async function namedExperiments(
  deps: Deps,
  { project, experiments }: RunSearch,
): Promise<readonly Experiment[] | undefined> {
  if (experiments.length === 0) return undefined;
  const ids = experiments.filter((idOrName) => isId("exp", idOrName));
  const names = experiments.filter((idOrName) => !isId("exp", idOrName));
  const found = [
    ...(ids.length === 0 ? [] : await deps.records.experiments.findMany(ids)),
    ...(names.length === 0 ? [] : await deps.records.experiments.findManyByName(project, names)),
  ].filter((experiment) => experiment.project === project);
  const known = new Set(found.flatMap(({ id, name }) => [id, name]));
  const missing = experiments.find((idOrName) => !known.has(idOrName));
  if (missing !== undefined) throw experimentNotFound(missing);
  return [...new Map(found.map((experiment) => [experiment.id, experiment])).values()];
}

/** A run is as deleted as its experiment is. */
async function lifecycleCondition(
  deps: Deps,
  { view, project }: RunSearch,
  named: readonly Experiment[] | undefined,
): Promise<Condition> {
  if (view === "all") return { lifecycle: { $in: ["active", "archived", "deleted"] } };
  const deleted =
    named === undefined
      ? await deps.records.experiments.deleted(project)
      : named.filter(({ lifecycle }) => lifecycle === "deleted").map(({ id }) => id);
  if (deleted.length === 0) return { lifecycle: view };
  if (view === "deleted") return { $or: [{ lifecycle: view }, { experimentId: { $in: deleted } }] };
  return { lifecycle: view, experimentId: { $nin: deleted } };
}
