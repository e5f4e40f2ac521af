import { create } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import { collectPages } from "../client/collect-pages.ts";
import type { Session } from "../session.ts";
import { keysOf, parseColumns, type RunColumn, tableColumns } from "./columns.ts";

/** The options of `runs list`. */
export interface ListFlags {
  readonly experiment?: readonly string[];
  readonly filter?: string;
  readonly orderBy?: readonly string[];
  readonly columns?: string;
  readonly view: "active" | "archived" | "deleted" | "all";
  readonly favourites?: boolean;
  readonly limit: number;
}

const views = {
  active: tracking.LifecycleView.ACTIVE,
  archived: tracking.LifecycleView.ARCHIVED,
  deleted: tracking.LifecycleView.DELETED,
  all: tracking.LifecycleView.ALL,
} as const;

/** Metrics shown of runs for which nobody named any. */
const METRICS_SHOWN = 3;

/** Lists runs. */
export async function listRuns(session: Session, flags: ListFlags): Promise<void> {
  const { runs: client } = await session.clients();
  const search = {
    experiments: [...(flags.experiment ?? [])],
    filter: flags.filter ?? "",
    orderBy: [...(flags.orderBy ?? [])],
    view: views[flags.view],
    favouritesOnly: flags.favourites === true,
  };
  const chosen = flags.columns === undefined ? undefined : parseColumns(flags.columns);
  const whole = session.json && chosen === undefined;
  const columns = whole ? [] : (chosen ?? (await usualColumns(session, search)));
  const fields = whole
    ? { allMetrics: true, allParams: true, allTags: true, inputs: true, details: true }
    : keysOf(columns);
  const { items, more } = await collectPages(flags.limit, async (page) => {
    const response = await client.searchRuns({ ...search, page, fields });
    return { items: response.runs, next: response.page?.nextPageToken ?? "" };
  });
  if (session.json) {
    session.printMessage(
      tracking.SearchRunsResponseSchema,
      create(tracking.SearchRunsResponseSchema, { runs: items }),
    );
    return;
  }
  const cell = { time: session.time.bind(session), isTerminal: session.isTerminal };
  session.printTable(tableColumns(columns, cell), items, emptyText(flags));
  if (more && session.isTerminal) process.stderr.write(`there are more; --limit is ${flags.limit}\n`);
}

function emptyText({ filter, experiment }: ListFlags): string {
  return filter === undefined && experiment === undefined
    ? "No runs yet. Every submitted job makes one."
    : "No run is like that.";
}

/** Without a wish: what tells runs apart, and some metrics of the first. */
async function usualColumns(
  session: Session,
  search: Pick<tracking.SearchRunsRequest, "experiments" | "filter" | "orderBy" | "view" | "favouritesOnly">,
): Promise<RunColumn[]> {
  const { runs: client } = await session.clients();
  const first = await client.searchRuns({ ...search, page: { pageSize: 1 }, fields: { allMetrics: true } });
  const keys = Object.keys(first.runs[0]?.metrics ?? {}).slice(0, METRICS_SHOWN);
  return [
    ...(["run", "name", "experiment", "status", "started"] as const).map((name) => ({
      kind: "attribute" as const,
      name,
    })),
    ...keys.map((key) => ({ kind: "metric" as const, key, aggregate: "last" as const })),
  ];
}
