/** MongoDB as the services use it: transactions, outbox and inbox, leases, migrations, page tokens. */
export { StaleLeaseError, StoreOpenError } from "./errors.ts";
export { type EventConsumerOptions, eventConsumer } from "./event-consumer.ts";
export { type EventHandler, type EventMode, on } from "./event-handler.ts";
export { fencedTransaction } from "./fenced-transaction.ts";
export { ensureIndexes, type IndexSpec } from "./indexes.ts";
export { type Lease, type LeaseOptions, type LeaseToken, lease, type MonotonicClock } from "./lease.ts";
export { type Migration, runMigrations } from "./migrations.ts";
export { type AnswerCodec, messageAnswer, onceByRequest, type RequestKey } from "./once-by-request.ts";
export { openStore, type StoreOptions } from "./open-store.ts";
export { type OutboxRelayOptions, outboxRelay } from "./outbox-relay.ts";
export { decodePageToken, encodePageToken, type Json, MAX_PAGE_TOKEN_LENGTH } from "./page-token.ts";
export type { StorePart } from "./part.ts";
export { redactUri } from "./redact-uri.ts";
export type { EmitRequest, Snapshot, Store, TransactionOptions, Tx } from "./store.ts";
export { CommitUnknownError } from "./transaction.ts";
