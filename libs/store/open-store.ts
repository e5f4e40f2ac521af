import type { Logger } from "@trainyard/telemetry";
import { type Collection, type Document, MongoClient } from "mongodb";
import { createCommitSignal } from "./commit-signal.ts";
import { StoreOpenError } from "./errors.ts";
import { ensureIndexes } from "./indexes.ts";
import { readSnapshot } from "./read-snapshot.ts";
import { redactUri } from "./redact-uri.ts";
import { storeIndexes } from "./schema.ts";
import type { Store } from "./store.ts";
import { createTransactionRunner } from "./transaction.ts";

/** How long one operation may look for a server before it fails. Callers that must outlast an outage retry above this. */
export const SERVER_SELECTION_TIMEOUT_MS = 5_000;
/** A server that holds a connection and says nothing for so long counts as gone. */
export const SOCKET_TIMEOUT_MS = 20_000;

const PING_TIMEOUT_MS = 2_000;
const MAX_POOL_SIZE = 50;

/** Where a service's database is, and under which name it appears in the server's logs. */
export interface StoreOptions {
  /** `mongodb://user:password@host:port/?replicaSet=rs0&authSource=…`; a replica set, as transactions need one. */
  readonly uri: string;
  readonly database: string;
  readonly logger: Logger;
  /** Shown in the server's logs and `currentOp`; the database's name when absent. */
  readonly appName?: string;
}

/**
 * Opens a service's database and declares this lib's own collections in it. Writes are majority and journalled
 * unless a call says otherwise. Throws StoreOpenError, without the password, when no server answers.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { uri, database, logger } = options;
  const client = connectable(uri, options.appName ?? database);
  const db = client.db(database);
  const outboxWritten = createCommitSignal();
  const runner = createTransactionRunner({ client, logger });
  const store: Store = {
    db,
    logger,
    outboxWritten,
    collection: <T extends Document>(name: string): Collection<T> => db.collection<T>(name),
    snapshot: (fn) => readSnapshot(client, fn),
    transaction: (label, fn, limits) => runner.run(store, label, fn, limits),
    async ping() {
      await db.command({ ping: 1 }, { timeoutMS: PING_TIMEOUT_MS });
    },
    async close() {
      await runner.settle();
      await client.close();
    },
  };
  try {
    await client.connect();
    await ensureIndexes(store, storeIndexes);
  } catch (cause) {
    await client.close().catch(() => undefined);
    throw new StoreOpenError(
      `Cannot open database ${database} at ${redactUri(uri)}: ${messageOf(cause)}. Is mongod running there, as a replica set, and may this user use the database?`,
      { cause },
    );
  }
  return store;
}

function connectable(uri: string, appName: string): MongoClient {
  try {
    return new MongoClient(uri, {
      appName,
      serverSelectionTimeoutMS: SERVER_SELECTION_TIMEOUT_MS,
      connectTimeoutMS: SERVER_SELECTION_TIMEOUT_MS,
      socketTimeoutMS: SOCKET_TIMEOUT_MS,
      maxPoolSize: MAX_POOL_SIZE,
      retryReads: true,
      retryWrites: true,
      writeConcern: { w: "majority", journal: true },
      readConcern: { level: "majority" },
      ignoreUndefined: true,
    });
  } catch (cause) {
    // The driver's parse errors can repeat the URI: only our own words leave this function.
    throw new StoreOpenError(
      `The MongoDB URI is not valid: expected mongodb://host:port/?replicaSet=NAME, got ${redactUri(uri)}.`,
      { cause: cause instanceof Error ? cause.name : undefined },
    );
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
