import type { IndexSpec, Store, Tx } from "@trainyard/store";
import { foldersOf, pathsBelow } from "../domain/artifact-path.ts";
import type { Artifact } from "../domain/run-record.ts";
import { type ArtifactEntry, type EntryPosition, entriesOf } from "./artifact-tree.ts";
import { type Scope, within } from "./session.ts";

export interface ArtifactDocument extends Artifact {
  /** `<run>:<path>`: a second file of the same path replaces the first. */
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly project: string;
  readonly createdBy: string;
  readonly version: number;
  readonly runId: string;
}

export const artifactIndexes: readonly IndexSpec[] = [
  { collection: "artifacts", name: "by_run", key: { runId: 1, path: 1 } },
];

/** The artifacts: the only place that reads and writes them. */
export interface Artifacts {
  /** By path. */
  ofRun(runId: string, scope?: Scope): Promise<Artifact[]>;
  find(runId: string, path: string, scope?: Scope): Promise<Artifact | undefined>;
  /** The files below a folder at any depth, by path; the whole run's for "". */
  below(runId: string, folder: string, scope?: Scope): Promise<Artifact[]>;
  /** The same one by one, after a path; nothing that is not taken is read. */
  walk(runId: string, folder: string, after: string): AsyncIterable<Artifact>;
  /** What is directly in a folder, by name, after a position. */
  entries(
    runId: string,
    folder: string,
    after: EntryPosition | undefined,
    limit: number,
  ): Promise<ArtifactEntry[]>;
  /** A path of the run that this one would need as a folder, or itself where it is a folder. */
  inTheWay(runId: string, path: string, scope: Scope): Promise<string | undefined>;
  save(
    tx: Tx,
    runId: string,
    artifact: Artifact,
    by: { readonly project: string; readonly createdBy: string },
  ): Promise<void>;
  remove(tx: Tx, runId: string, paths: readonly string[]): Promise<void>;
}

/** The artifacts in this database. */
export function createArtifacts(store: Store): Artifacts {
  const documents = store.collection<ArtifactDocument>("artifacts");
  const inFolder = (runId: string, folder: string) => {
    if (folder === "") return { runId };
    const { first, end } = pathsBelow(folder);
    return { runId, path: { $gte: first, $lt: end } };
  };
  return {
    async ofRun(runId, scope) {
      const found = await documents.find({ runId }, within(scope)).sort({ path: 1 }).toArray();
      return found.map(artifactOf);
    },
    async find(runId, path, scope) {
      const found = await documents.findOne({ _id: `${runId}:${path}` }, within(scope));
      return found === null ? undefined : artifactOf(found);
    },
    async below(runId, folder, scope) {
      const found = await documents.find(inFolder(runId, folder), within(scope)).sort({ path: 1 }).toArray();
      return found.map(artifactOf);
    },
    async *walk(runId, folder, after) {
      const { first, end } = pathsBelow(folder);
      const path = after < first ? { $gte: first, $lt: end } : { $gt: after, $lt: end };
      for await (const found of documents.find({ runId, path }).sort({ path: 1 })) yield artifactOf(found);
    },
    entries: (runId, folder, after, limit) =>
      entriesOf(documents, inFolder(runId, folder), folder, after, limit),
    async inTheWay(runId, path, scope) {
      const ids = foldersOf(path).map((folder) => `${runId}:${folder}`);
      const above = ids.length === 0 ? null : await documents.findOne({ _id: { $in: ids } }, within(scope));
      if (above !== null) return above.path;
      const below = await documents.findOne(inFolder(runId, path), within(scope));
      return below === null ? undefined : path;
    },
    async save(tx, runId, artifact, { project, createdBy }) {
      await documents.updateOne(
        { _id: `${runId}:${artifact.path}` },
        { $set: { ...artifact, runId, project, createdBy, schemaVersion: 1 }, $inc: { version: 1 } },
        { upsert: true, session: tx.session },
      );
    },
    async remove(tx, runId, paths) {
      if (paths.length === 0) return;
      await documents.deleteMany({ runId, path: { $in: [...paths] } }, { session: tx.session });
    },
  };
}

function artifactOf({ path, digest, sizeBytes, attempt, createdAt }: ArtifactDocument): Artifact {
  return { path, digest, sizeBytes, attempt, createdAt };
}
