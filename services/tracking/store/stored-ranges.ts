import type { IndexSpec, Store, Tx } from "@trainyard/store";
import type { OffsetRanges } from "../domain/offset-ranges.ts";
import { sourceKey, type TelemetryKind, type TelemetrySource } from "../domain/telemetry-source.ts";
import { type Scope, within } from "./session.ts";

/** What is stored of one file of one rank. Written by every transaction that stores a batch of it. */
interface StoredRangesDocument {
  /** `<run>:<attempt>:<rank>:<kind>` */
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly project: string;
  readonly createdAt: Date;
  readonly createdBy: "telemetry";
  readonly runId: string;
  readonly attempt: number;
  readonly rank: number;
  readonly kind: TelemetryKind;
  /** begin, end, begin, end, …: ascending. */
  readonly ranges: readonly number[];
  readonly updatedAt: Date;
}

export const storedRangesIndexes: readonly IndexSpec[] = [
  { collection: "stored_ranges", name: "by_run", key: { runId: 1, attempt: 1 } },
];

/** One file of one rank, and which parts of it are stored. */
export interface StoredSource {
  readonly source: TelemetrySource;
  readonly ranges: OffsetRanges;
}

/** Which parts of the ranks' files are stored. */
export interface StoredRangesStore {
  /** By `sourceKey`; sources of which nothing is stored are missing. */
  read(tx: Tx, sources: readonly TelemetrySource[]): Promise<Map<string, OffsetRanges>>;
  write(tx: Tx, changed: readonly (StoredSource & { readonly project: string })[]): Promise<void>;
  ofRun(
    runId: string,
    options?: {
      readonly attempt?: number;
      readonly kinds?: readonly TelemetryKind[];
      readonly scope?: Scope;
    },
  ): Promise<StoredSource[]>;
}

/** The stored ranges in this database. */
export function createStoredRanges(store: Store): StoredRangesStore {
  const documents = store.collection<StoredRangesDocument>("stored_ranges");
  return {
    async read(tx, sources) {
      const ids = [...new Set(sources.map(sourceKey))];
      const found = await documents.find({ _id: { $in: ids } }, within(tx)).toArray();
      return new Map(found.map(({ _id, ranges }) => [_id, rangesOf(ranges)]));
    },
    async write(tx, changed) {
      if (changed.length === 0) return;
      const now = new Date();
      await documents.bulkWrite(
        changed.map(({ source, ranges, project }) => ({
          updateOne: {
            filter: { _id: sourceKey(source) },
            update: {
              $set: { ranges: ranges.flatMap(({ begin, end }) => [begin, end]), updatedAt: now },
              $setOnInsert: { schemaVersion: 1, project, createdAt: now, createdBy: "telemetry", ...source },
            },
            upsert: true,
          },
        })),
        { ordered: false, session: tx.session },
      );
    },
    async ofRun(runId, { attempt, kinds, scope } = {}) {
      const filter = {
        runId,
        ...(attempt === undefined ? {} : { attempt }),
        ...(kinds === undefined ? {} : { kind: { $in: [...kinds] } }),
      };
      const found = await documents.find(filter, within(scope)).toArray();
      return found.map(({ runId: run, attempt: number, rank, kind, ranges }) => ({
        source: { runId: run, attempt: number, rank, kind },
        ranges: rangesOf(ranges),
      }));
    },
  };
}

function rangesOf(flat: readonly number[]): OffsetRanges {
  return Array.from({ length: flat.length / 2 }, (_, index) => ({
    begin: flat[index * 2] ?? 0,
    end: flat[index * 2 + 1] ?? 0,
  }));
}
