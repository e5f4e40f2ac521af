import type { IndexSpec, Store, Tx } from "@trainyard/store";
import type { RunNote } from "../domain/run-note.ts";
import { type Scope, within } from "./session.ts";

interface NoteDocument extends Omit<RunNote, "id"> {
  readonly _id: string;
  readonly schemaVersion: 1;
}

export const runNoteIndexes: readonly IndexSpec[] = [
  { collection: "run_notes", name: "by_run", key: { runId: 1, _id: -1 } },
];

/** Which notes to list. */
export interface NotesPage {
  readonly before: string | undefined;
  readonly limit: number;
  readonly ofSteps: boolean;
}

/** The annotations of runs: the only place that reads and writes them. */
export interface RunNotes {
  find(id: string, scope?: Scope): Promise<RunNote | undefined>;
  count(runId: string, scope?: Scope): Promise<number>;
  /** Newest first; only ids before `before` when given, and only those about a step when `ofSteps`. */
  list(runId: string, page: NotesPage): Promise<RunNote[]>;
  insert(tx: Tx, note: RunNote): Promise<void>;
  remove(tx: Tx, id: string): Promise<void>;
}

/** The annotations in this database. */
export function createRunNotes(store: Store): RunNotes {
  const documents = store.collection<NoteDocument>("run_notes");
  return {
    async find(id, scope) {
      const found = await documents.findOne({ _id: id }, within(scope));
      return found === null ? undefined : noteOf(found);
    },
    async count(runId, scope) {
      return await documents.countDocuments({ runId }, within(scope));
    },
    async list(runId, { before, limit, ofSteps }) {
      const filter = {
        runId,
        ...(before === undefined ? {} : { _id: { $lt: before } }),
        ...(ofSteps ? { at: { $exists: true } } : {}),
      };
      return (await documents.find(filter).sort({ _id: -1 }).limit(limit).toArray()).map(noteOf);
    },
    async insert(tx, { id, ...fields }) {
      await documents.insertOne({ _id: id, schemaVersion: 1, ...fields }, { session: tx.session });
    },
    async remove(tx, id) {
      await documents.deleteOne({ _id: id }, { session: tx.session });
    },
  };
}

function noteOf({ _id, schemaVersion: _, ...fields }: NoteDocument): RunNote {
  return { id: _id, ...fields };
}
