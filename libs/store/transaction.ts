import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "@trainyard/telemetry";
import type { ClientSession, MongoClient } from "mongodb";
import { emitToOutbox } from "./emit.ts";
import { isCommitUnknown, isTransient } from "./errors.ts";
import type { Store, TransactionOptions, Tx } from "./store.ts";

/** How long a transaction is tried again before its last error is thrown. */
export const TRANSACTION_DEADLINE_MS = 20_000;

const FIRST_BACKOFF_MS = 4;
const LONGEST_BACKOFF_MS = 400;

/** Runs transactions of one client, and owns the aborts that outlive them. */
export interface TransactionRunner {
  run<T>(store: Store, label: string, fn: (tx: Tx) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /** Resolves when no abort is under way any more. */
  settle(): Promise<void>;
}

/**
 * The driver's own `withTransaction` gives up on errors without a label, which is what a killed server causes. So:
 * a commit whose outcome is unknown is asked for again (the server answers from the transaction's number whether it
 * happened), and everything else that is transient runs the whole function again, with full jitter, until a deadline.
 */
export function createTransactionRunner(deps: { client: MongoClient; logger: Logger }): TransactionRunner {
  const { client, logger } = deps;
  const ending = new Set<Promise<void>>();

  /** Frees the server's locks. Not waited for: the server may be gone, and the next attempt has a session of its own. */
  function end(session: ClientSession): void {
    const done = (session.inTransaction() ? session.abortTransaction() : Promise.resolve())
      .then(() => session.endSession())
      .catch((error: unknown) => logger.debug({ err: error }, "ending a transaction's session failed"))
      .finally(() => ending.delete(done));
    ending.add(done);
  }

  async function attempt<T>(store: Store, fn: (tx: Tx) => Promise<T>, deadline: number): Promise<T> {
    const session = client.startSession();
    try {
      session.startTransaction({
        readConcern: { level: "snapshot" },
        writeConcern: { w: "majority", journal: true },
        readPreference: "primary",
      });
      let emitted = 0;
      const tx: Tx = {
        store,
        session,
        emit: (event) => emitToOutbox(store, session, event, emitted++),
      };
      const result = await fn(tx);
      await commit(session, deadline);
      if (emitted > 0) store.outboxWritten.raise();
      return result;
    } finally {
      end(session);
    }
  }

  return {
    async run(store, label, fn, options) {
      const deadline = performance.now() + (options?.deadlineMs ?? TRANSACTION_DEADLINE_MS);
      for (let tries = 1; ; tries++) {
        try {
          return await attempt(store, fn, deadline);
        } catch (error) {
          const wait = backoffMs(tries);
          if (!isTransient(error) || performance.now() + wait > deadline) throw error;
          logger.debug({ err: error, label, tries }, "transaction runs again");
          await delay(wait);
        }
      }
    },
    async settle() {
      await Promise.all(ending);
    },
  };
}

/** Commits, asking again while the outcome is unknown: the answer to a repeated commit is exact. */
async function commit(session: ClientSession, deadline: number): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await session.commitTransaction();
      return;
    } catch (error) {
      const wait = backoffMs(tries);
      if (!isCommitUnknown(error)) throw error;
      if (performance.now() + wait > deadline) throw new CommitUnknownError(error);
      await delay(wait);
    }
  }
}

/** The deadline passed before the database could say whether the transaction is committed. */
export class CommitUnknownError extends Error {
  override readonly name = "CommitUnknownError";

  constructor(cause: unknown) {
    super(
      "The database did not say in time whether the change is committed; ask again with the same request id.",
      {
        cause,
      },
    );
  }
}

function backoffMs(tries: number): number {
  const ceiling = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(tries, 10));
  return 1 + Math.random() * ceiling;
}
