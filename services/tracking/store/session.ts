import type { Snapshot, Store, Tx } from "@trainyard/store";
import { MongoServerError } from "mongodb";

/** Where a read happens: in a transaction, at one moment, or as it comes. */
export type Scope = (Pick<Snapshot, "session"> & Partial<Snapshot>) | undefined;

/** Reads in the scope that is given, or all at one moment. */
export function atOneMoment<T>(store: Store, scope: Scope, read: (scope: Scope) => Promise<T>): Promise<T> {
  return scope === undefined ? store.snapshot(read) : read(scope);
}

/** The options that put a call into the transaction, or a read at its moment. */
export function within(scope: Scope): Partial<Snapshot> {
  if (scope === undefined) return {};
  const { session, readConcern } = scope;
  return readConcern === undefined ? { session } : { session, readConcern };
}

/** The server's code for a unique key that is taken. */
export const DUPLICATE_KEY = 11000;
const MAX_TRIES = 5;

/** Whether a row with the same unique key was there already. */
export function isDuplicateKey(error: unknown): boolean {
  return error instanceof MongoServerError && error.code === DUPLICATE_KEY;
}

/**
 * A transaction that runs again when another one made the same document meanwhile: the next snapshot shows it. For
 * transactions that create a document of a known id unless it is there.
 */
export async function creatingTransaction<T>(
  store: Store,
  label: string,
  fn: (tx: Tx) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await store.transaction(label, fn);
    } catch (error) {
      if (!isDuplicateKey(error) || tries >= MAX_TRIES) throw error;
    }
  }
}
