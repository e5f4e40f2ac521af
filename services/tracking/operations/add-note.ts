import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { limitExceeded } from "../domain/errors.ts";
import { MAX_NOTES_PER_RUN } from "../domain/limits.ts";
import type { RunNote } from "../domain/run-note.ts";

/** Keeps a note. The caller also writes the run, so that two notes at once cannot both be the last that fits. */
export async function addNote(deps: Deps, tx: Tx, note: RunNote): Promise<void> {
  const { notes } = deps.records;
  const count = await notes.count(note.runId, tx);
  if (count >= MAX_NOTES_PER_RUN) {
    throw limitExceeded("text", "MAX_NOTES_PER_RUN", MAX_NOTES_PER_RUN, count + 1, "notes", "stored");
  }
  await notes.insert(tx, note);
}
