import type { Db } from "mongodb";
import { fencedTransaction } from "./fenced-transaction.ts";
import { lease } from "./lease.ts";
import { collections, type MigrationRow } from "./schema.ts";
import type { Store } from "./store.ts";

const LEASE_NAME = "migrations";
const LEASE_TTL_MS = 10_000;

/** One step that brings stored documents to the newest `schemaVersion`. */
export interface Migration {
  /** Sortable and never reused, such as `2026-11-21-attempt-reasons`. */
  readonly id: string;
  /** Must be idempotent: a crash after it and before its record runs it again. `signal` aborts when the lease is lost. */
  up(db: Db, signal: AbortSignal): Promise<void>;
}

/**
 * Runs the migrations that this database has not seen, in the given order, one process at a time. Returns the ids that
 * ran here. With nothing to do it takes no lease, so that a start never waits for another process.
 */
export async function runMigrations(
  store: Store,
  migrations: readonly Migration[],
  options: { holder: string; leaseTtlMs?: number; signal?: AbortSignal },
): Promise<readonly string[]> {
  if ((await pending(store, migrations)).length === 0) return [];
  const held = lease({
    store,
    name: LEASE_NAME,
    holder: options.holder,
    ttlMs: options.leaseTtlMs ?? LEASE_TTL_MS,
  });
  await held.start();
  try {
    const { signal } = await held.acquired(options.signal);
    const ran: string[] = [];
    for (const migration of await pending(store, migrations)) {
      store.logger.info({ migration: migration.id }, "migration starts");
      await migration.up(store.db, signal);
      await fencedTransaction(held, `migration ${migration.id}`, async (tx) => {
        await store
          .collection<MigrationRow>(collections.migrations)
          .updateOne(
            { _id: migration.id },
            { $setOnInsert: { schemaVersion: 1, appliedAt: new Date() } },
            { upsert: true, session: tx.session },
          );
      });
      ran.push(migration.id);
    }
    return ran;
  } finally {
    await held.stop(AbortSignal.timeout(LEASE_TTL_MS));
  }
}

async function pending(store: Store, migrations: readonly Migration[]): Promise<readonly Migration[]> {
  const rows = await store.collection<MigrationRow>(collections.migrations).find().toArray();
  const applied = new Set(rows.map((row) => row._id));
  return migrations.filter((migration) => !applied.has(migration.id));
}
