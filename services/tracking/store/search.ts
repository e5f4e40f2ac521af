import type { Store } from "@trainyard/store";
import type { Document } from "mongodb";
import type { Place, Search } from "../domain/search/plan.ts";
import { planSearch } from "../domain/search/plan.ts";

/** Longest a search may take before the database gives it up. */
const MAX_SEARCH_MS = 60_000;

/** What was found: its id, and its place in the order. */
export interface Found {
  readonly id: string;
  readonly places: readonly Place[];
}

/** Finds ids in order; what they name is read by `Runs` and `Experiments`. */
export function createSearches(store: Store): { find(search: Search): Promise<Found[]> } {
  return {
    async find(search) {
      const pipeline = planSearch(search) as Document[]; // Stages are documents: the domain does not know the driver.
      const rows = store.db
        .collection(search.things)
        .aggregate<Record<string, unknown> & { _id: string }>(pipeline, {
          allowDiskUse: true,
          maxTimeMS: MAX_SEARCH_MS,
        });
      return (await rows.toArray()).map((row) => ({
        id: row._id,
        places: search.order.map((_, n) => placeOf(row[`r${n}`], row[`v${n}`])),
      }));
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
