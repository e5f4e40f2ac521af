import { tracking } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import type { Clients } from "../client/clients.ts";
import { collectPages } from "../client/collect-pages.ts";
import { retryUnavailable } from "../client/retry.ts";

/** Which runs are exported. */
export interface RunSelection {
  /** Of these experiments, by name or id. */
  readonly experiment?: readonly string[];
  /** As `runs --filter` takes it. */
  readonly filter?: string;
}

/** Most runs of one export. */
const maxRuns = 100_000;

/**
 * The ids of the runs that were named, and of those that the selection finds: active and archived ones, oldest first. Throws
 * NOTHING_SELECTED when nothing was asked for, or there is none.
 */
export async function selectRuns(
  clients: Clients,
  named: readonly string[],
  { experiment = [], filter = "" }: RunSelection,
): Promise<string[]> {
  const ids = new Set<string>();
  for (const id of named) {
    const { run } = await retryUnavailable(() => clients.tracking.getRun({ runId: id }));
    if (run !== undefined) ids.add(run.id);
  }
  if (experiment.length > 0 || filter !== "")
    for (const view of [tracking.LifecycleView.ACTIVE, tracking.LifecycleView.ARCHIVED])
      for (const id of await found(clients, experiment, filter, view)) ids.add(id);
  if (ids.size > 0) return [...ids];
  const isAsked = named.length + experiment.length > 0 || filter !== "";
  throw new DomainError(
    isAsked ? "not_found" : "invalid_argument",
    "NOTHING_SELECTED",
    isAsked ? "no run is selected by that" : "name runs, or give --experiment or --filter",
  );
}

async function found(
  clients: Clients,
  experiments: readonly string[],
  filter: string,
  view: tracking.LifecycleView,
): Promise<string[]> {
  const search = { experiments: [...experiments], filter, view, orderBy: ["attributes.start_time ASC"] };
  const { items, more } = await collectPages(maxRuns, async (page) => {
    const response = await retryUnavailable(() => clients.runs.searchRuns({ ...search, page }));
    return { items: response.runs.map(({ id }) => id), next: response.page?.nextPageToken ?? "" };
  });
  if (more)
    throw new DomainError(
      "resource_exhausted",
      "TOO_MANY_RUNS",
      `more than ${maxRuns} runs are selected; export them in parts, by --filter "start_time < '2026-01-01'" and the like`,
    );
  return items;
}
