import type { IndexSpec, Store, Tx } from "@trainyard/store";
import { type Scope, within } from "./session.ts";

interface FavouriteDocument {
  /** JSON of the principal and the run. */
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly project: string;
  readonly principal: string;
  readonly runId: string;
  readonly createdAt: Date;
}

export const favouriteIndexes: readonly IndexSpec[] = [
  { collection: "favourites", name: "by_principal", key: { principal: 1, createdAt: -1 } },
];

/** Who marked which run: the only place that reads and writes it. */
export interface Favourites {
  /** The runs that the principal marked. */
  of(principal: string, scope?: Scope): Promise<string[]>;
  /** Which of these runs the principal marked. */
  among(principal: string, runIds: readonly string[]): Promise<ReadonlySet<string>>;
  add(tx: Tx, mark: Pick<FavouriteDocument, "principal" | "runId" | "project" | "createdAt">): Promise<void>;
  remove(tx: Tx, principal: string, runId: string): Promise<void>;
}

/** The favourites in this database. */
export function createFavourites(store: Store): Favourites {
  const documents = store.collection<FavouriteDocument>("favourites");
  const idOf = (principal: string, runId: string) => JSON.stringify([principal, runId]);
  return {
    async of(principal, scope) {
      const found = documents.find({ principal }, { projection: { runId: 1 }, ...within(scope) });
      return (await found.toArray()).map(({ runId }) => runId);
    },
    async among(principal, runIds) {
      const ids = runIds.map((runId) => idOf(principal, runId));
      const found = documents.find({ _id: { $in: ids } }, { projection: { runId: 1 } });
      return new Set((await found.toArray()).map(({ runId }) => runId));
    },
    async add(tx, mark) {
      const _id = idOf(mark.principal, mark.runId);
      await documents.updateOne(
        { _id },
        { $setOnInsert: { schemaVersion: 1, ...mark } },
        { upsert: true, session: tx.session },
      );
    },
    async remove(tx, principal, runId) {
      await documents.deleteOne({ _id: idOf(principal, runId) }, { session: tx.session });
    },
  };
}
