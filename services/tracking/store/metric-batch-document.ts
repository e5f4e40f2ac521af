import { Binary, BSON } from "mongodb";
import type { MetricBatch } from "../domain/metric-batch.ts";
import type { RankSource } from "../domain/telemetry-source.ts";
import { packColumns, unpackColumns, unpackPlainColumns } from "./metric-columns.ts";

/** Points as they came. Batches of one rank never overlap: what was stored before is cut off. */
export interface MetricBatchDocument extends RankSource {
  /** `<run>:<attempt>:<rank>:<begin>`; of a call see operations/log-metrics.ts. */
  readonly _id: string;
  /** 2: columns as an earlier version packed them. */
  readonly schemaVersion: 2 | 3;
  readonly project: string;
  readonly createdAt: Date;
  readonly createdBy: string;
  /** Of a call: when it was stored, in milliseconds since 1970, twice. */
  readonly begin: number;
  readonly end: number;
  readonly keys: readonly string[];
  readonly count: number;
  readonly columns: Binary;
  /** Of a call whose points are packed: when it need not be recognised any more. */
  readonly forgetAt?: Date;
  /** Whether its points count in the run's summaries. */
  readonly folded: boolean;
  /** Of a call with a name: digest of its points, and which process stored them. */
  readonly call?: { readonly digest: string; readonly writer: string };
}

/** A batch and whose it is. */
export interface StoredBatch {
  readonly source: RankSource;
  readonly batch: MetricBatch;
}

/** Points that came by a call. `id` is the same when the call is repeated. */
export interface CallBatch extends StoredBatch {
  readonly id: string;
  readonly project: string;
  readonly createdBy: string;
  /** Absent: the caller does not repeat the call. */
  readonly digest?: string;
  /** Tells whether a batch that is there already is this call's own. */
  readonly writer: string;
}

/** What a call brought, as it will be stored; when, is written then. */
export type CallDocument = Omit<MetricBatchDocument, "createdAt" | "begin" | "end">;

export function documentOf(
  { source, batch, project }: StoredBatch & { readonly project: string },
  createdAt: Date,
): MetricBatchDocument {
  const { runId, attempt, rank } = source;
  return {
    _id: `${runId}:${attempt}:${rank}:${batch.begin}`,
    project,
    createdAt,
    createdBy: "telemetry",
    runId,
    attempt,
    rank,
    begin: batch.begin,
    end: batch.end,
    ...contentOf(batch),
  };
}

export function callDocumentOf({
  id,
  source,
  batch,
  project,
  createdBy,
  digest,
  writer,
}: CallBatch): CallDocument {
  const { runId, attempt, rank } = source;
  return {
    _id: id,
    project,
    createdBy,
    runId,
    attempt,
    rank,
    ...contentOf(batch),
    ...(digest === undefined ? {} : { call: { digest, writer } }),
  };
}

function contentOf(batch: MetricBatch) {
  return {
    schemaVersion: 3,
    keys: batch.keys,
    count: batch.offsets.length,
    columns: new Binary(packColumns(batch)),
    folded: false,
  } as const;
}

/** The document as it is stored now. */
export function storedNow(document: CallDocument, now: Date): MetricBatchDocument {
  const begin = now.getTime();
  return { ...document, createdAt: now, begin, end: begin };
}

export function storedBatchOf(document: MetricBatchDocument): StoredBatch {
  const { runId, attempt, rank, begin, end, keys, count, columns, schemaVersion } = document;
  const unpack = schemaVersion === 2 ? unpackPlainColumns : unpackColumns;
  const batch = { begin, end, keys, ...unpack(columns.value(), count, begin) };
  return { source: { runId, attempt, rank }, batch };
}

/** About the bytes that it takes, in memory and on the wire. */
export function sizeOf({ keys, columns }: CallDocument): number {
  return keys.reduce((sum, key) => sum + key.length, 0) + columns.length() + 256;
}

/** A call's document as bytes that `decodeCallDocument` reads. */
export function encodeCallDocument(document: CallDocument): Uint8Array {
  return BSON.serialize(document);
}

/** Throws when the bytes are none. */
export function decodeCallDocument(bytes: Uint8Array): CallDocument {
  const document = BSON.deserialize(bytes);
  const { _id: id, runId, columns } = document;
  if (typeof id !== "string" || typeof runId !== "string" || !(columns instanceof Binary)) {
    throw new TypeError("these are not the points of a call");
  }
  return document as CallDocument;
}
