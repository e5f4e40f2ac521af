import type { Binary } from "mongodb";
import type { IndexSpec } from "./indexes.ts";

const DAY_SECONDS = 24 * 60 * 60;

/** A published outbox row is kept so long, to be published again should the stream lose it. */
export const OUTBOX_RETENTION_SECONDS = 7 * DAY_SECONDS;
/**
 * An inbox row is kept so long. It must outlive the event's last possible delivery: the stream's retention plus the
 * outbox's, after which no copy of the event is left anywhere.
 */
export const INBOX_RETENTION_SECONDS = 60 * DAY_SECONDS;
/** The answer to a request id is kept so long. */
export const REQUEST_RETENTION_SECONDS = 7 * DAY_SECONDS;

/** Collections of this lib in every service's database. */
export const collections = {
  outbox: "outbox",
  inbox: "inbox",
  inboxVersions: "inbox_versions",
  requests: "requests",
  leases: "leases",
  migrations: "migrations",
} as const;

/** An event to be published, or published. */
export interface OutboxRow {
  /** The event's id, and the message id that the stream recognises a second publish by. */
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly state: "unpublished" | "published";
  readonly project: string;
  readonly actor: string;
  readonly type: string;
  /** The aggregate's id: the CloudEvent's subject. */
  readonly subject: string;
  readonly natsSubject: string;
  /** Every subject of the same aggregate, whatever the event: order is kept over all of them. */
  readonly aggregate: string;
  readonly aggregateVersion: number;
  /** Position among the events that one transaction emits: breaks the tie between equal versions. */
  readonly order: number;
  readonly traceparent?: string;
  /** The whole CloudEvent as it goes out: JSON, with `data` as ProtoJSON. */
  readonly body: string;
  readonly createdAt: Date;
  readonly publishedAt?: Date;
  readonly streamSequence?: number;
  /** When the stream that holds it was created: tells a new stream of the same name from the old. */
  readonly streamCreated?: string;
}

/** An event that a consumer has taken effect of. */
export interface InboxRow {
  /** `<consumer>/<event id>` */
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly handledAt: Date;
}

/** The newest version of an aggregate that a latest-wins consumer has taken. */
export interface InboxVersionRow {
  /** `<consumer>/<aggregate>` */
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly version: number;
  readonly handledAt: Date;
}

/** The answer given to a request id. */
export interface RequestRow {
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly requestHash: string;
  readonly answer: Binary;
  readonly createdAt: Date;
}

/** Who holds a lease. Never deleted, since its token must never fall. */
export interface LeaseRow {
  readonly _id: string;
  readonly schemaVersion: 1;
  /** Null after a release. */
  readonly holder: string | null;
  readonly token: number;
  /** Raised by each renewal: a candidate watches (token, renewals) for a TTL. */
  readonly renewals: number;
  /** Raised by each fenced transaction: the write that makes a stale one conflict. */
  readonly fencedWrites: number;
  readonly changedAt: Date;
}

/** A migration that has run. */
export interface MigrationRow {
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly appliedAt: Date;
}

/** The indexes of this lib's collections. */
export const storeIndexes: readonly IndexSpec[] = [
  {
    collection: collections.outbox,
    name: "unpublished",
    key: { _id: 1, aggregate: 1 },
    partialFilterExpression: { state: "unpublished" },
  },
  {
    collection: collections.outbox,
    name: "unpublished_by_aggregate",
    key: { aggregate: 1, aggregateVersion: 1 },
    partialFilterExpression: { state: "unpublished" },
  },
  { collection: collections.outbox, name: "by_sequence", key: { streamSequence: -1 } },
  { collection: collections.outbox, name: "by_aggregate", key: { aggregate: 1, streamSequence: -1 } },
  {
    collection: collections.outbox,
    name: "retention",
    key: { publishedAt: 1 },
    expireAfterSeconds: OUTBOX_RETENTION_SECONDS,
  },
  {
    collection: collections.inbox,
    name: "retention",
    key: { handledAt: 1 },
    expireAfterSeconds: INBOX_RETENTION_SECONDS,
  },
  {
    collection: collections.inboxVersions,
    name: "retention",
    key: { handledAt: 1 },
    expireAfterSeconds: INBOX_RETENTION_SECONDS,
  },
  {
    collection: collections.requests,
    name: "retention",
    key: { createdAt: 1 },
    expireAfterSeconds: REQUEST_RETENTION_SECONDS,
  },
  { collection: collections.leases, name: "by_holder", key: { holder: 1 } },
];
