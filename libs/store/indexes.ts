import type { IndexDescription, IndexDirection } from "mongodb";
import { MongoServerError } from "mongodb";
import type { Store } from "./store.ts";

/** One index, declared as data beside the repository that needs it. */
export interface IndexSpec {
  readonly collection: string;
  readonly key: Readonly<Record<string, IndexDirection>>;
  /** Given names make an index's change visible: the same name with another definition is rebuilt. */
  readonly name?: string;
  readonly unique?: boolean;
  /** Rows vanish so long after the date in the key's only field. */
  readonly expireAfterSeconds?: number;
  readonly partialFilterExpression?: Readonly<Record<string, unknown>>;
}

const OPTIONS_CONFLICT = 85;
const KEY_SPECS_CONFLICT = 86;

/**
 * Makes the declared indexes exist, and with them their collections. Idempotent; an index whose definition changed is
 * dropped and built again. Indexes that nobody declares any more stay: dropping is a migration's decision.
 */
export async function ensureIndexes(store: Store, specs: readonly IndexSpec[]): Promise<void> {
  for (const spec of specs) {
    const { collection, key, ...options } = spec;
    const name = spec.name ?? indexName(key);
    const description: IndexDescription = { ...options, key: { ...key }, name };
    try {
      await store.db.collection(collection).createIndexes([description]);
    } catch (error) {
      if (!isConflict(error)) throw error;
      await dropConflicting(store, collection, key, name);
      await store.db.collection(collection).createIndexes([description]);
    }
  }
}

async function dropConflicting(
  store: Store,
  collection: string,
  key: IndexSpec["key"],
  name: string,
): Promise<void> {
  const wanted = JSON.stringify(key);
  for (const index of await store.db.collection(collection).indexes()) {
    const clashes = index.name === name || JSON.stringify(index.key) === wanted;
    if (clashes && index.name !== undefined) await store.db.collection(collection).dropIndex(index.name);
  }
}

function indexName(key: IndexSpec["key"]): string {
  return Object.entries(key)
    .map(([field, direction]) => `${field}_${String(direction)}`)
    .join("_");
}

function isConflict(error: unknown): boolean {
  return (
    error instanceof MongoServerError &&
    (error.code === OPTIONS_CONFLICT || error.code === KEY_SPECS_CONFLICT)
  );
}
