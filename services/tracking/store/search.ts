import type { Store } from "@trainyard/store";
import type { Document } from "mongodb";
import type { FirstMetric } from "../domain/search/candidates.ts";
import type { Condition } from "../domain/search/compile.ts";
import {
  type MetricRow,
  type Place,
  planSearch,
  type Search,
  SUMMARIES,
  summaryId,
} from "../domain/search/plan.ts";
import { findBestFirst } from "./best-first.ts";

/** Longest a search may take before the database gives it up. */
const MAX_SEARCH_MS = 60_000;

/** What was found: its id, and its place in the order. */
export interface Found {
  readonly id: string;
  readonly places: readonly Place[];
}

/** Finds ids in order; what they name is read by `Runs` and `Experiments`. */
export function createSearches(store: Store): { find(search: Search): Promise<Found[]> } {
  const summaries = store.db.collection(SUMMARIES);

  /** Rows with these aggregates. All of them come in one answer: a second one would cost as much as the search. */
  function rowsOf({ aggregates }: FirstMetric, match: readonly Condition[], most: number) {
    const columns = Object.fromEntries(aggregates.map((name) => [name, 1]));
    const cursor = summaries
      .find({ $and: [...match] }, { projection: { _id: 0, runId: 1, ...columns }, maxTimeMS: MAX_SEARCH_MS })
      .batchSize(most + 1);
    return {
      cursor,
      read: async (): Promise<MetricRow[]> =>
        (await cursor.toArray()).map(({ runId, ...values }) => ({ runId: String(runId), values })),
    };
  }

  async function find(search: Search): Promise<Found[]> {
    const pipeline = planSearch(search) as Document[]; // Stages are documents: the domain does not know the driver.
    const rows = store.db
      .collection(search.things)
      .aggregate<Record<string, unknown> & { _id: string }>(pipeline, {
        allowDiskUse: true,
        maxTimeMS: MAX_SEARCH_MS,
        batchSize: search.limit + 1,
        ...(search.among === undefined ? {} : { hint: { _id: 1 } }),
      });
    return (await rows.toArray()).map((row) => ({
      id: row._id,
      places: search.order.map((_, n) => placeOf(row[`r${n}`], row[`v${n}`])),
    }));
  }

  const metricRows = (search: Search) => ({
    find,
    async rows(first: FirstMetric, match: readonly Condition[], limit: number) {
      const all = [search.metricScope, { key: first.key }, ...first.passing, ...match];
      const { cursor, read } = rowsOf(first, all, limit);
      cursor.sort({ [first.aggregate]: first.direction }).limit(limit);
      return await read();
    },
    async rowsOf(first: FirstMetric, runIds: readonly string[], match: readonly Condition[]) {
      const ids = { _id: { $in: runIds.map((runId) => summaryId(runId, first.key)) } };
      return await rowsOf(first, [ids, ...first.passing, ...match], runIds.length).read();
    },
  });

  return {
    find: async (search) => (await findBestFirst(search, metricRows(search))) ?? (await find(search)),
  };
}

export type Searches = ReturnType<typeof createSearches>;

function placeOf(rank: unknown, value: unknown): Place {
  if (rank === 1 || rank === 2) return [rank, null];
  if (value instanceof Date) return [0, value.getTime()];
  // JSON has no infinities.
  if (typeof value === "number") return [0, Number.isFinite(value) ? value : String(value)];
  return [0, String(value)];
}
