import type { IndexSpec, Store, Tx } from "@trainyard/store";
import { Binary } from "mongodb";
import type { SecretBox } from "../secret-box.ts";

const COLLECTION = "secrets";

/** The indexes of the secrets. */
export const secretIndexes: readonly IndexSpec[] = [
  { collection: COLLECTION, name: "by_name", key: { project: 1, name: 1 }, unique: true },
];

/** What may be known of a secret. */
export interface SecretInfo {
  readonly project: string;
  readonly name: string;
  /** From 1; rises with each new value. */
  readonly version: number;
  readonly setBy: string;
  readonly setAt: Date;
  readonly createdAt: Date;
}

interface SecretDocument extends SecretInfo {
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly createdBy: string;
  readonly sealed: Binary;
}

/** The secrets: their only reader and writer; values leave it as they came, and lie in it sealed. */
export interface Secrets {
  put(tx: Tx, secret: SecretInit): Promise<SecretInfo>;
  /** Says whether there was one. */
  remove(tx: Tx, project: string, name: string): Promise<boolean>;
  /** At most `limit` of a project after a name, by name. */
  list(project: string, after: string, limit: number): Promise<readonly SecretInfo[]>;
  /** Which of these names a project has no secret of. */
  missing(project: string, names: readonly string[]): Promise<readonly string[]>;
  /** Those of these names that there are. */
  values(project: string, names: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>>;
}

/** A new value. */
export interface SecretInit {
  readonly project: string;
  readonly name: string;
  readonly value: Uint8Array;
  readonly by: string;
  readonly at: Date;
}

/** The secrets in this store. */
export function createSecrets(store: Store, box: SecretBox): Secrets {
  const rows = store.collection<SecretDocument>(COLLECTION);
  const idOf = (project: string, name: string) => `${project}/${name}`;
  const find = (project: string, names: readonly string[]) =>
    rows.find({ project, name: { $in: [...names] } }).toArray();
  return {
    async put(tx, { project, name, value, by, at }) {
      const id = idOf(project, name);
      const found = await rows.findOneAndUpdate(
        { _id: id },
        {
          $set: { sealed: new Binary(box.seal(id, value)), setBy: by, setAt: at },
          $inc: { version: 1 },
          $setOnInsert: { project, name, schemaVersion: 1, createdBy: by, createdAt: at },
        },
        { upsert: true, returnDocument: "after", session: tx.session },
      );
      if (found === null) throw new Error(`secret ${id} is not there after it was written`);
      return infoOf(found);
    },
    async remove(tx, project, name) {
      return (await rows.deleteOne({ _id: idOf(project, name) }, { session: tx.session })).deletedCount > 0;
    },
    async list(project, after, limit) {
      const found = rows
        .find({ project, name: { $gt: after } })
        .sort({ name: 1 })
        .limit(limit);
      return (await found.toArray()).map(infoOf);
    },
    async missing(project, names) {
      const there = new Set((await find(project, names)).map(({ name }) => name));
      return names.filter((name) => !there.has(name));
    },
    async values(project, names) {
      const found = await find(project, names);
      return new Map(found.map(({ _id, name, sealed }) => [name, box.open(_id, sealed.value())]));
    },
  };
}

function infoOf({ project, name, version, setBy, setAt, createdAt }: SecretDocument): SecretInfo {
  return { project, name, version, setBy, setAt, createdAt };
}
