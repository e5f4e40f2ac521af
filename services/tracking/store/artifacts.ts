import type { IndexSpec, Store, Tx } from "@trainyard/store";
import type { Artifact } from "../domain/run-record.ts";
import { type Scope, within } from "./session.ts";

interface ArtifactDocument extends Artifact {
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
  save(
    tx: Tx,
    runId: string,
    artifact: Artifact,
    by: { readonly project: string; readonly createdBy: string },
  ): Promise<void>;
}

/** The artifacts in this database. */
export function createArtifacts(store: Store): Artifacts {
  const documents = store.collection<ArtifactDocument>("artifacts");
  return {
    async ofRun(runId, scope) {
      const found = await documents.find({ runId }, within(scope)).sort({ path: 1 }).toArray();
      return found.map(({ path, digest, sizeBytes, attempt, createdAt }) => ({
        path,
        digest,
        sizeBytes,
        attempt,
        createdAt,
      }));
    },
    async save(tx, runId, artifact, { project, createdBy }) {
      await documents.updateOne(
        { _id: `${runId}:${artifact.path}` },
        { $set: { ...artifact, runId, project, createdBy, schemaVersion: 1 }, $inc: { version: 1 } },
        { upsert: true, session: tx.session },
      );
    },
  };
}
