import { setTimeout as delay } from "node:timers/promises";
import type { IndexSpec, Store, Tx } from "@trainyard/store";
import { type Collection, type Filter, MongoBulkWriteError, MongoNetworkError, type WithId } from "mongodb";
import type { OffsetRange } from "../domain/offset-ranges.ts";
import { CALL_RANK, type RankSource, samplesOf } from "../domain/telemetry-source.ts";
import type { VisibleHistory } from "../domain/visible-history.ts";
import {
  type CallDocument,
  documentOf,
  type MetricBatchDocument,
  type StoredBatch,
  storedBatchOf,
  storedNow,
} from "./metric-batch-document.ts";
import { DUPLICATE_KEY, type Scope, within } from "./session.ts";

export const metricBatchIndexes: readonly IndexSpec[] = [
  {
    collection: "metric_batches",
    name: "forgotten_calls",
    key: { forgetAt: 1 },
    expireAfterSeconds: 0,
  },
  {
    collection: "metric_batches",
    name: "unfolded",
    key: { folded: 1, runId: 1, rank: 1 },
    partialFilterExpression: { folded: false },
  },
  { collection: "metric_batches", name: "by_rank", key: { runId: 1, attempt: 1, rank: 1, begin: 1 } },
];

/** A batch that can be packed. */
export interface PackableBatch extends StoredBatch {
  readonly id: string;
  readonly project: string;
  readonly call?: MetricBatchDocument["call"];
}

/** Which points to read. */
export interface PointQuery {
  readonly runId: string;
  readonly history: VisibleHistory;
  /** Absent or empty means all. */
  readonly keys?: readonly string[];
  readonly rank?: number;
  /** Only what is, or is not, folded into the summaries. */
  readonly folded?: boolean;
}

/** The metric points: the only place that reads and writes them. */
export interface MetricBatches {
  insert(tx: Tx, batches: readonly (StoredBatch & { readonly project: string })[]): Promise<void>;
  /**
   * Stores what calls brought, without a transaction: each batch is whole or not there. Returns the ids of those that
   * were there already.
   */
  insertCalls(calls: readonly CallDocument[]): Promise<ReadonlySet<string>>;
  /** Who stored the call of this id, and what. */
  findCall(id: string): Promise<{ readonly digest: string; readonly writer: string } | undefined>;
  /** Batches with visible points; some of their points may be beyond the visible end. */
  read(query: PointQuery, scope?: Scope): AsyncIterable<StoredBatch>;
  /** Batches of this rank that begin in the range. */
  readRange(source: RankSource, range: OffsetRange, scope: Scope): Promise<StoredBatch[]>;
  /** When each batch of a call was stored, by id, of those stored since. */
  callsSince(runId: string, sinceMs: number, scope: Scope): Promise<ReadonlyMap<string, number>>;
  /** Batches of calls that were stored since, with their ids. */
  readCalls(runId: string, sinceMs: number): Promise<(StoredBatch & { readonly id: string })[]>;
  /** Runs with batches that are not folded: with any, or with such as came by calls or as ranks streamed. */
  unfoldedRuns(come: "all" | "calls" | "streamed"): Promise<string[]>;
  /** Batches of the run that are not folded, visible or not. */
  unfolded(runId: string, limit: number, scope: Scope): Promise<(StoredBatch & { readonly id: string })[]>;
  markFolded(tx: Tx, ids: readonly string[]): Promise<void>;
  /** Ranks of the run with batches that are folded, and calls. */
  foldedSources(runId: string): Promise<RankSource[]>;
  /** Its oldest batches that are folded and were stored before, of about so many points at most. */
  folded(source: RankSource, before: Date, limit: number, points: number): Promise<PackableBatch[]>;
  /**
   * Removes batches whose points are elsewhere now; of calls with a request id what recognises a repetition stays for 7
   * days. False when one was not there, and the transaction must not commit.
   */
  remove(tx: Tx, batches: readonly PackableBatch[]): Promise<boolean>;
}

/** The metric points in this database. */
export function createMetricBatches(store: Store): MetricBatches {
  const documents = store.collection<MetricBatchDocument>("metric_batches");
  return {
    async insert(tx, batches) {
      if (batches.length === 0) return;
      const createdAt = new Date();
      await documents.insertMany(
        batches.map((each) => documentOf(each, createdAt)),
        { ordered: false, session: tx.session },
      );
    },
    async insertCalls(calls) {
      const now = new Date();
      return insertUnlessThere(
        documents,
        calls.map((each) => storedNow(each, now)),
      );
    },
    async findCall(id) {
      const found = await documents.findOne({ _id: id }, { projection: { call: 1 } });
      return found?.call;
    },
    async foldedSources(runId) {
      const stages = [
        { $match: { runId, folded: true } },
        { $group: { _id: { attempt: "$attempt", rank: "$rank" } } },
      ];
      const found = await documents
        .aggregate<{ _id: { attempt: number; rank: number } }>(stages, { hint: "by_rank" })
        .toArray();
      return found.map(({ _id }) => ({ runId, ..._id }));
    },
    async folded({ runId, attempt, rank }, before, limit, points) {
      const filter = { runId, attempt, rank, folded: true, createdAt: { $lt: before } };
      const batches: PackableBatch[] = [];
      let count = 0;
      for await (const document of documents.find(filter).sort({ begin: 1 }).limit(limit)) {
        const { project, call } = document;
        batches.push({ ...identifiedBatchOf(document), project, ...(call === undefined ? {} : { call }) });
        count += document.count;
        if (count >= points) break;
      }
      return batches;
    },
    async remove(tx, batches) {
      const gone = batches.filter(({ call }) => call === undefined).map(({ id }) => id);
      const { session } = tx;
      if (gone.length > 0) {
        const { deletedCount } = await documents.deleteMany({ _id: { $in: gone } }, { session });
        if (deletedCount !== gone.length) return false;
      }
      const left = batches.filter(({ call }) => call !== undefined).map(({ id }) => id);
      if (left.length === 0) return true;
      const filter = { _id: { $in: left }, count: { $exists: true } };
      const { modifiedCount } = await documents.updateMany(filter, emptied, { session });
      return modifiedCount === left.length;
    },
    async *read(query, scope) {
      for await (const document of documents.find(filterOf(query), within(scope)))
        yield storedBatchOf(document);
    },
    async readRange({ runId, attempt, rank }, { begin, end }, scope) {
      const filter = { runId, attempt, rank, begin: { $gte: begin, $lt: end } };
      return (await documents.find(filter, within(scope)).sort({ begin: 1 }).toArray()).map(storedBatchOf);
    },
    async callsSince(runId, sinceMs, scope) {
      const filter = { runId, rank: CALL_RANK, begin: { $gte: sinceMs } };
      const found = await documents.find(filter, { projection: { begin: 1 }, ...within(scope) }).toArray();
      return new Map(found.map(({ _id, begin }) => [_id, begin]));
    },
    async readCalls(runId, sinceMs) {
      const found = await documents.find({ runId, rank: CALL_RANK, begin: { $gte: sinceMs } }).toArray();
      return found.map(identifiedBatchOf);
    },
    async unfoldedRuns(come) {
      const rank = { all: {}, calls: { rank: CALL_RANK }, streamed: { rank: { $ne: CALL_RANK } } }[come];
      const filter = { folded: false, ...rank };
      const stages = [{ $match: filter }, { $group: { _id: "$runId" } }];
      const found = await documents.aggregate<{ _id: string }>(stages, { hint: "unfolded" }).toArray();
      return found.map(({ _id }) => _id);
    },
    async unfolded(runId, limit, scope) {
      const found = documents.find({ folded: false, runId }, { limit, hint: "unfolded", ...within(scope) });
      return (await found.toArray()).map(identifiedBatchOf);
    },
    async markFolded(tx, ids) {
      if (ids.length === 0) return;
      const filter = { _id: { $in: [...ids] }, folded: false };
      await documents.updateMany(filter, { $set: { folded: true } }, { session: tx.session });
    },
  };
}

/** How long a call is recognised after it was packed. */
const RECOGNISED_MS = 7 * 24 * 60 * 60 * 1000;

/** What makes of a call's batch the mere knowledge that it was stored. */
const emptied = [
  { $set: { forgetAt: { $add: ["$$NOW", RECOGNISED_MS] } } },
  { $unset: ["columns", "keys", "count", "begin", "end", "rank", "attempt", "folded"] },
];

const OUTAGE_PAUSE_MS = 50;
const MAX_TRIES = 5;

/** A lost answer is asked for again: what was stored by then is there. */
async function insertUnlessThere(
  documents: Collection<MetricBatchDocument>,
  inserted: MetricBatchDocument[],
): Promise<ReadonlySet<string>> {
  for (let tries = 1; ; tries++) {
    try {
      await documents.insertMany(inserted, { ordered: false });
      return new Set();
    } catch (error) {
      const there = duplicatesIn(error, inserted);
      if (there !== undefined) return there;
      const isOutage = error instanceof MongoNetworkError || error instanceof MongoBulkWriteError;
      if (!isOutage || tries >= MAX_TRIES) throw error;
      await delay(OUTAGE_PAUSE_MS * tries);
    }
  }
}

/** The ids of an unordered insert that were there; undefined when it failed for another reason. */
function duplicatesIn(
  error: unknown,
  inserted: readonly MetricBatchDocument[],
): ReadonlySet<string> | undefined {
  if (!(error instanceof MongoBulkWriteError)) return undefined;
  // Then what was inserted beside them may not be durable.
  if (error.result.getWriteConcernError() !== undefined) return undefined;
  const failures = [error.writeErrors].flat();
  if (failures.length === 0 || failures.some(({ code }) => code !== DUPLICATE_KEY)) return undefined;
  return new Set(failures.map(({ index }) => inserted[index]?._id ?? ""));
}

function identifiedBatchOf(document: WithId<MetricBatchDocument>): StoredBatch & { readonly id: string } {
  return { id: document._id, ...storedBatchOf(document) };
}

function filterOf({ runId, history, keys, rank, folded }: PointQuery): Filter<MetricBatchDocument> {
  const visible = [...history].flatMap(([attempt, visibility]): Filter<MetricBatchDocument>[] => {
    if (visibility.kind === "whole") return [{ attempt }];
    return visibility.offsets.map((prefix) => ({
      attempt,
      rank: prefix.rank,
      begin: { $lt: prefix.offset },
    }));
  });
  return {
    runId,
    $or: [...visible, { rank: { $lt: 0 } }],
    ...(keys === undefined || keys.length === 0 ? {} : { keys: { $in: [...keys] } }),
    ...(rank === undefined ? {} : { $and: [{ rank: { $in: [rank, samplesOf(rank)] } }] }),
    ...(folded === undefined ? {} : { folded }),
  };
}
