import type { IndexSpec, Store, Tx } from "@trainyard/store";
import type { LogPiece } from "../domain/log-pieces.ts";
import { sourceKey, type TelemetrySource } from "../domain/telemetry-source.ts";

/** An output that was moved into the blob store: one gzip file whose members are its pieces. */
interface LogArchiveDocument extends TelemetrySource {
  /** `<run>:<attempt>:<rank>:<kind>` */
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly project: string;
  readonly createdAt: Date;
  readonly createdBy: "tracking";
  /** Rises when what came late is added. */
  readonly version: number;
  readonly digest: string;
  /** begin, end, observedMs, and the bytes of its member, piece after piece. */
  readonly pieces: readonly number[];
}

/** Runs whose outputs are, or shall be, in the blob store. */
interface LogArchivingDocument {
  /** The run. */
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly project: string;
  readonly createdAt: Date;
  readonly createdBy: "tracking";
  /** When to look at it again; absent while everything is archived. */
  readonly dueAt?: Date;
  /** Rises when something came late, so that who has just archived the rest does not take it for done. */
  readonly round: number;
}

export const logArchiveIndexes: readonly IndexSpec[] = [
  { collection: "log_archives", name: "of_run", key: { runId: 1 } },
  {
    collection: "log_archiving",
    name: "due",
    key: { dueAt: 1 },
    partialFilterExpression: { dueAt: { $exists: true } },
  },
];

/** A piece, and where its member is in the file. */
export interface ArchivedPiece extends LogPiece {
  readonly at: number;
  readonly packedBytes: number;
}

export interface LogArchive {
  readonly version: number;
  readonly digest: string;
  /** In order. */
  readonly pieces: readonly ArchivedPiece[];
}

/** A run to be archived. */
export interface ArchivingTurn {
  readonly runId: string;
  readonly round: number;
}

/** What is archived of the runs' outputs, and what shall be. */
export interface LogArchives {
  find(source: TelemetrySource): Promise<LogArchive | undefined>;
  /** Replaces what `find` gave. Says false, and changes nothing, when another has replaced it since. */
  replace(tx: Tx, source: TelemetrySource, archive: LogArchive, project: string): Promise<boolean>;
  forget(source: TelemetrySource, version: number): Promise<void>;
  /** Has the run's outputs archived from then on. */
  schedule(tx: Tx, run: { readonly id: string; readonly project: string }, dueAt: Date): Promise<void>;
  /** Has runs looked at again that are archived already. */
  cameLate(tx: Tx, runIds: readonly string[], dueAt: Date): Promise<void>;
  /** A run that is due, kept from others until then. */
  take(now: Date, until: Date): Promise<ArchivingTurn | undefined>;
  done(turn: ArchivingTurn): Promise<void>;
}

export function createLogArchives(store: Store): LogArchives {
  const archives = store.collection<LogArchiveDocument>("log_archives");
  const archiving = store.collection<LogArchivingDocument>("log_archiving");
  return {
    async find(source) {
      const found = await archives.findOne({ _id: sourceKey(source) });
      return found === null
        ? undefined
        : { version: found.version, digest: found.digest, pieces: piecesOf(found.pieces) };
    },
    async replace(tx, source, { version, digest, pieces }, project) {
      const _id = sourceKey(source);
      const flat = pieces.flatMap((piece) => [piece.begin, piece.end, piece.observedMs, piece.packedBytes]);
      const written = await archives.updateOne(
        // With version 1 there is none: the upsert of a second one meets the first one's id.
        { _id, version: version - 1 },
        {
          $set: { version, digest, pieces: flat },
          $setOnInsert: {
            schemaVersion: 1,
            project,
            createdAt: new Date(),
            createdBy: "tracking",
            ...source,
          },
        },
        { upsert: version === 1, session: tx.session },
      );
      return written.matchedCount + written.upsertedCount === 1;
    },
    async forget(source, version) {
      await archives.deleteOne({ _id: sourceKey(source), version });
    },
    async schedule(tx, { id, project }, dueAt) {
      const fresh = {
        schemaVersion: 1 as const,
        project,
        createdAt: new Date(),
        createdBy: "tracking" as const,
      };
      await archiving.updateOne(
        { _id: id },
        { $set: { dueAt }, $inc: { round: 1 }, $setOnInsert: fresh },
        { upsert: true, session: tx.session },
      );
    },
    async cameLate(tx, runIds, dueAt) {
      const late = { _id: { $in: [...runIds] } };
      await archiving.updateMany(late, { $set: { dueAt }, $inc: { round: 1 } }, { session: tx.session });
    },
    async take(now, until) {
      const due = { dueAt: { $lte: now } };
      const found = await archiving.findOneAndUpdate(due, { $set: { dueAt: until } }, { sort: { dueAt: 1 } });
      return found === null ? undefined : { runId: found._id, round: found.round };
    },
    async done({ runId, round }) {
      await archiving.updateOne({ _id: runId, round }, { $unset: { dueAt: "" } });
    },
  };
}

function piecesOf(flat: readonly number[]): ArchivedPiece[] {
  const pieces: ArchivedPiece[] = [];
  let at = 0;
  for (let index = 0; index < flat.length; index += 4) {
    const [begin = 0, end = 0, observedMs = 0, packedBytes = 0] = flat.slice(index, index + 4);
    pieces.push({ begin, end, observedMs, packedBytes, at });
    at += packedBytes;
  }
  return pieces;
}
