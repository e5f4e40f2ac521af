import type { IndexSpec, Store, Tx } from "@trainyard/store";
import { Binary } from "mongodb";
import type { OffsetRange } from "../domain/offset-ranges.ts";
import { sourceKey, type TelemetrySource } from "../domain/telemetry-source.ts";

/** Bytes of one output of one rank. Batches of one output never overlap. */
interface LogBatchDocument extends TelemetrySource {
  /** `<run>:<attempt>:<rank>:<kind>:<begin>` */
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly project: string;
  /** When it was stored; `observedMs` is when the agent read it. */
  readonly createdAt: Date;
  readonly createdBy: "telemetry";
  readonly begin: number;
  readonly end: number;
  readonly data: Binary;
  readonly observedMs: number;
}

export const logBatchIndexes: readonly IndexSpec[] = [
  { collection: "log_batches", name: "by_output", key: { runId: 1, attempt: 1, rank: 1, kind: 1, begin: 1 } },
];

/** A piece of a rank's output. */
export interface LogBatch {
  /** Offset of its first byte in the output. */
  readonly begin: number;
  readonly data: Uint8Array;
  /** When the agent read it, milliseconds since 1970. */
  readonly observedMs: number;
  /** Bytes after it that belong to its range and are kept nowhere; 0 unless the agent left some out. */
  readonly leftOutBytes: number;
}

/** The ranks' outputs: the only place that reads and writes them. */
export interface LogBatches {
  insert(
    tx: Tx,
    batches: readonly {
      readonly source: TelemetrySource;
      readonly project: string;
      readonly batch: LogBatch;
    }[],
  ): Promise<void>;
  /** At most `limit` batches of one output that end after `position`, in order. */
  readFrom(source: TelemetrySource, position: number, limit: number): Promise<LogBatch[]>;
  /** Batches of one output from its end backwards. */
  readBackwards(source: TelemetrySource): AsyncIterable<LogBatch>;
  /** Every batch of one output. */
  idsOf(source: TelemetrySource): Promise<string[]>;
  deleteByIds(tx: Tx, ids: readonly string[]): Promise<void>;
  /** Deletes the batches that lie wholly in this part of an output, and says how many. */
  deleteWithin(source: TelemetrySource, part: OffsetRange): Promise<number>;
}

/** The outputs in this database. */
export function createLogBatches(store: Store): LogBatches {
  const documents = store.collection<LogBatchDocument>("log_batches");
  return {
    async insert(tx, batches) {
      if (batches.length === 0) return;
      const createdAt = new Date();
      await documents.insertMany(
        batches.map(({ source, project, batch }) => ({
          _id: `${sourceKey(source)}:${batch.begin}`,
          schemaVersion: 1 as const,
          project,
          createdAt,
          createdBy: "telemetry" as const,
          ...source,
          begin: batch.begin,
          end: batch.begin + batch.data.byteLength,
          data: new Binary(batch.data),
          observedMs: batch.observedMs,
        })),
        { ordered: false, session: tx.session },
      );
    },
    async readFrom(source, position, limit) {
      const { runId, attempt, rank, kind } = source;
      const filter = { runId, attempt, rank, kind, end: { $gt: position } };
      return (await documents.find(filter).sort({ begin: 1 }).limit(limit).toArray()).map(logBatchOf);
    },
    async *readBackwards({ runId, attempt, rank, kind }) {
      const found = documents.find({ runId, attempt, rank, kind }).sort({ begin: -1 });
      for await (const document of found) yield logBatchOf(document);
    },
    async idsOf({ runId, attempt, rank, kind }) {
      const found = documents.find({ runId, attempt, rank, kind }, { projection: { _id: 1 } });
      return (await found.toArray()).map(({ _id }) => _id);
    },
    async deleteByIds(tx, ids) {
      await documents.deleteMany({ _id: { $in: [...ids] } }, { session: tx.session });
    },
    async deleteWithin({ runId, attempt, rank, kind }, { begin, end }) {
      const within = { begin: { $gte: begin }, end: { $lte: end } };
      return (await documents.deleteMany({ runId, attempt, rank, kind, ...within })).deletedCount;
    },
  };
}

function logBatchOf({ begin, data, observedMs }: LogBatchDocument): LogBatch {
  return { begin, data: data.value(), observedMs, leftOutBytes: 0 };
}
