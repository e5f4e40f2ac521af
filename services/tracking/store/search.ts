import type { Store } from "@trainyard/store";
import type { Document } from "mongodb";
import { candidateCounts, candidateQuery, wholeCandidates } from "../domain/search/candidates.ts";
import { type Place, planSearch, type Search, SUMMARIES } from "../domain/search/plan.ts";

/** Longest a search may take before the database gives it up. */
const MAX_SEARCH_MS = 60_000;

/** What was found: its id, and its place in the order. */
export interface Found {
  readonly id: string;
  readonly places: readonly Place[];
}

/** Finds ids in order; what they name is read by `Runs` and `Experiments`. */
export function createSearches(store: Store): { find(search: Search): Promise<Found[]> } {
  /** The runs whose values are the best, at most so many; `undefined` when the search has no use for that. */
  async function candidates(search: Search, count: number): Promise<readonly string[] | undefined> {
    const query = candidateQuery(search);
    if (query === undefined) return undefined;
    const { match, aggregate, direction } = query;
    const rows = await store.db
      .collection(SUMMARIES)
      .find(match, { projection: { _id: 0, runId: 1, [aggregate]: 1 }, maxTimeMS: MAX_SEARCH_MS })
      .sort({ [aggregate]: direction })
      .limit(count + 1)
      .toArray();
    const read = rows.map((row) => ({ runId: String(row.runId), value: Number(row[aggregate]) }));
    return wholeCandidates(read, count);
  }

  async function findAmong(search: Search): Promise<Found[]> {
    const pipeline = planSearch(search) as Document[]; // Stages are documents: the domain does not know the driver.
    const rows = store.db
      .collection(search.things)
      .aggregate<Record<string, unknown> & { _id: string }>(pipeline, {
        allowDiskUse: true,
        maxTimeMS: MAX_SEARCH_MS,
        ...(search.among === undefined ? {} : { hint: { _id: 1 } }),
      });
    return (await rows.toArray()).map((row) => ({
      id: row._id,
      places: search.order.map((_, n) => placeOf(row[`r${n}`], row[`v${n}`])),
    }));
  }

  return {
    async find(search) {
      for (const count of candidateCounts(search)) {
        const among = await candidates(search, count);
        if (among === undefined || among.length < search.limit) break;
        const found = await findAmong({ ...search, among });
        if (found.length === search.limit) return found;
        if (among.length < count) break;
      }
      return await findAmong(search);
    },
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
