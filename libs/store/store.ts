import type { Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import type { Logger } from "@trainyard/telemetry";
import type { ClientSession, Collection, Db, Document } from "mongodb";
import type { CommitSignal } from "./commit-signal.ts";

/** One event to be published because of a change of state, as given to `Tx.emit`. */
export interface EmitRequest<T extends Message> {
  readonly schema: GenMessage<T>;
  readonly project: string;
  /** Id of the aggregate that the event is about: the last token of the event's subject. */
  readonly id: string;
  /** The aggregate's version after the change. Raise it by one per change: consumers and the relay order by it. */
  readonly aggregateVersion: number;
  /** Who caused the change: a principal's name. */
  readonly actor: string;
  readonly data: T;
  /** W3C trace context of the cause; the current span's when absent. */
  readonly traceparent?: string | undefined;
}

/** What a transaction's function works with. Pass `session` to every MongoDB call, or the call is outside the transaction. */
export interface Tx {
  readonly store: Store;
  readonly session: ClientSession;
  /** Writes an outbox row in this transaction, so that the event exists exactly if the change does. Returns the event id. */
  emit<T extends Message>(event: EmitRequest<T>): Promise<string>;
}

/**
 * One moment of the database. Pass both to every read: the session alone does not do, since the level that the client has
 * for all its reads goes before the session's.
 */
export interface Snapshot {
  readonly session: ClientSession;
  readonly readConcern: { readonly level: "snapshot" };
}

/** Limits of one transaction. */
export interface TransactionOptions {
  /** Give up retrying after so long; the last error is thrown. */
  readonly deadlineMs?: number;
}

/** A service's own MongoDB database. */
export interface Store {
  readonly db: Db;
  readonly logger: Logger;
  /** Fires in this process after a commit that wrote outbox rows, so that the relay need not wait for its poll. */
  readonly outboxWritten: CommitSignal;
  collection<T extends Document>(name: string): Collection<T>;
  /**
   * Runs `fn` in one transaction (majority, journalled, snapshot) and commits it. The whole function runs again after a
   * write conflict, a fail-over or a lost connection, so it must hold no effect outside the transaction and must
   * recognise its own effect: ids are made by the caller, outside `fn`.
   */
  transaction<T>(label: string, fn: (tx: Tx) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /**
   * Runs `fn` over the database as it is at one moment, for reads of several collections that must agree. Unlike a
   * transaction's, its moment is kept for minutes. The function runs again when the server gave the moment up.
   */
  snapshot<T>(fn: (snapshot: Snapshot) => Promise<T>): Promise<T>;
  /** Proves that the database answers, within two seconds. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
