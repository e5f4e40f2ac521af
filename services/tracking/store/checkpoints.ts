import type { IndexSpec, Store, Tx } from "@trainyard/store";
import type { Checkpoint, CheckpointKind } from "../domain/checkpoint.ts";
import { type Scope, within } from "./session.ts";

interface CheckpointDocument extends Omit<Checkpoint, "id" | "kind"> {
  /** Absent in documents from before there were two kinds. */
  readonly kind?: CheckpointKind;
  readonly _id: string;
  readonly schemaVersion: 1;
  readonly project: string;
  readonly createdBy: string;
  readonly version: number;
}

export const checkpointIndexes: readonly IndexSpec[] = [
  // One of each kind: what the script had begun to save at a step may lack the part of the rank that died.
  {
    collection: "checkpoints",
    name: "one_per_step",
    key: { runId: 1, attempt: 1, step: 1, kind: 1 },
    unique: true,
  },
  { collection: "checkpoints", name: "by_holder", key: { heldBy: 1 } },
];

/** The checkpoints: the only place that reads and writes them. */
export interface Checkpoints {
  find(id: string, scope?: Scope): Promise<Checkpoint | undefined>;
  findAt(
    at: Pick<Checkpoint, "runId" | "attempt" | "step" | "kind">,
    scope?: Scope,
  ): Promise<Checkpoint | undefined>;
  /** Every checkpoint of the run, in any state. */
  ofRun(runId: string, scope?: Scope): Promise<Checkpoint[]>;
  save(
    tx: Tx,
    checkpoint: Checkpoint,
    by: { readonly project: string; readonly createdBy: string },
  ): Promise<void>;
  markPruned(tx: Tx, ids: readonly string[]): Promise<void>;
  /** Keeps a checkpoint for a run that starts from it. */
  hold(tx: Tx, id: string, forRunId: string): Promise<void>;
  /** Takes away everything that a run holds. */
  releaseHeldBy(runId: string): Promise<void>;
}

/** The checkpoints in this database. */
export function createCheckpoints(store: Store): Checkpoints {
  const documents = store.collection<CheckpointDocument>("checkpoints");
  return {
    async find(id, scope) {
      const found = await documents.findOne({ _id: id }, within(scope));
      return found === null ? undefined : checkpointOf(found);
    },
    async findAt({ runId, attempt, step, kind }, scope) {
      const ofKind = kind === "periodic" ? { $ne: "just-in-time" as const } : kind;
      const found = await documents.findOne({ runId, attempt, step, kind: ofKind }, within(scope));
      return found === null ? undefined : checkpointOf(found);
    },
    async ofRun(runId, scope) {
      return (await documents.find({ runId }, within(scope)).toArray()).map(checkpointOf);
    },
    async save(tx, { id, ...fields }, { project, createdBy }) {
      await documents.updateOne(
        { _id: id },
        { $set: { ...fields, project }, $setOnInsert: { schemaVersion: 1, createdBy }, $inc: { version: 1 } },
        { upsert: true, session: tx.session },
      );
    },
    async markPruned(tx, ids) {
      if (ids.length === 0) return;
      const change = { $set: { state: "pruned" as const }, $inc: { version: 1 } };
      await documents.updateMany({ _id: { $in: [...ids] } }, change, { session: tx.session });
    },
    async hold(tx, id, forRunId) {
      const change = { $addToSet: { heldBy: forRunId }, $inc: { version: 1 } };
      await documents.updateOne({ _id: id }, change, { session: tx.session });
    },
    async releaseHeldBy(runId) {
      await documents.updateMany({ heldBy: runId }, { $pull: { heldBy: runId }, $inc: { version: 1 } });
    },
  };
}

function checkpointOf(document: CheckpointDocument): Checkpoint {
  const { _id, schemaVersion: _, project: __, createdBy: ___, version: ____, ...fields } = document;
  return { id: _id, kind: "periodic", ...fields };
}
