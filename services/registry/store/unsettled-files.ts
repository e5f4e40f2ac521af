import { randomUUID } from "node:crypto";
import type { IndexSpec, Store, Tx } from "@trainyard/store";
import type { ModelVersion, StoredFile } from "../domain/model-version.ts";

/** A version that was registered or removed, and of which nobody has said yet that its files are held or given up. */
interface UnsettledFilesDocument {
  /** The version's. */
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly project: string;
  readonly runId: string;
  readonly loggedModelId: string;
  readonly files: readonly StoredFile[];
  readonly at: Date;
  /** Differs each time that it is noted. */
  readonly change: string;
}

/** The part of a version that says which files it has, and in whose name they are held. */
export type VersionFiles = Pick<ModelVersion, "id" | "project" | "files" | "loggedModelId"> & {
  readonly origin: Pick<ModelVersion["origin"], "runId">;
};

/** A version as it was noted. */
export interface Unsettled {
  readonly version: VersionFiles;
  readonly change: string;
}

const collection = "unsettled_files";

export const unsettledFilesIndexes: readonly IndexSpec[] = [{ collection, name: "oldest", key: { at: 1 } }];

/**
 * Whose files are to be looked after. Noted in the transaction that registers or removes the version, and gone when that is
 * done: whatever fails or dies in between, it is found again.
 */
export interface UnsettledFiles {
  note(version: VersionFiles, tx: Tx): Promise<void>;
  /** What is noted of this version. */
  find(id: string): Promise<Unsettled | undefined>;
  /** The oldest that were noted before. */
  notedBefore(before: Date, limit: number): Promise<readonly Unsettled[]>;
  /** Forgets it, unless it has been noted again since. */
  settled(unsettled: Unsettled): Promise<void>;
}

/** Those of this database. */
export function createUnsettledFiles(store: Store): UnsettledFiles {
  const documents = store.collection<UnsettledFilesDocument>(collection);
  return {
    async note({ id, project, files, origin, loggedModelId = "" }, tx) {
      if (files.length === 0) return;
      const { runId } = origin;
      const fields = { schemaVersion: 1 as const, project, runId, loggedModelId, files };
      const document = { ...fields, at: new Date(), change: randomUUID() };
      await documents.replaceOne({ _id: id }, document, { upsert: true, session: tx.session });
    },
    async find(id) {
      const found = await documents.findOne({ _id: id });
      return found === null ? undefined : unsettledOf(found);
    },
    async notedBefore(before, limit) {
      const found = documents
        .find({ at: { $lt: before } })
        .sort({ at: 1 })
        .limit(limit);
      return (await found.toArray()).map(unsettledOf);
    },
    async settled({ version, change }) {
      await documents.deleteOne({ _id: version.id, change });
    },
  };
}

function unsettledOf({ _id, change, ...fields }: UnsettledFilesDocument): Unsettled {
  const { project, files, runId, loggedModelId } = fields;
  const version = { id: _id, project, files, origin: { runId } };
  return { version: loggedModelId === "" ? version : { ...version, loggedModelId }, change };
}
