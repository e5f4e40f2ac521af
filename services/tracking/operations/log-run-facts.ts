import { newId } from "@trainyard/domain";
import type { Tx } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { assertTotal } from "../domain/check-texts.ts";
import { assertNotFenced, runNotFound } from "../domain/errors.ts";
import { logParams, mergeTexts, type NamedText } from "../domain/named-text.ts";
import { assertReporter } from "../domain/reporter.ts";
import type { NotePlace } from "../domain/run-note.ts";
import type { RunRecord } from "../domain/run-record.ts";
import { addNote } from "./add-note.ts";
import { saveChange } from "./change-run.ts";

/** What a rank says about its run. */
export interface RunFacts {
  readonly runId: string;
  readonly attempt: number;
  readonly rank: number;
  /** The node whose agent tells them. */
  readonly nodeId: string;
  readonly params: readonly NamedText[];
  readonly tags: readonly NamedText[];
  /** Empty for none. */
  readonly note: string;
  /** What the note is about; the whole run when undefined. */
  readonly noteAt: NotePlace | undefined;
}

/** Takes it down, all or none. Refused to a fenced attempt. Throws PARAM_DIFFERS. */
export async function logRunFacts(deps: Deps, tx: Tx, facts: RunFacts): Promise<RunRecord> {
  const { runId, attempt, rank, nodeId, note, noteAt: at } = facts;
  const run = await deps.records.runs.find(runId, tx);
  if (run === undefined) throw runNotFound(runId);
  assertNotFenced(run, attempt);
  assertReporter(run, nodeId, rank);
  const params = logParams(runId, run.params, facts.params);
  const tags = facts.tags.length === 0 ? run.tags : mergeTexts(run.tags, facts.tags);
  assertTotal("params", params);
  assertTotal("tags", tags);
  const isNew = params !== run.params || tags !== run.tags;
  const saved = await saveChange(deps, tx, run, isNew ? { ...run, params, tags } : run);
  if (note !== "") {
    const createdBy = `rank:${runId}.${attempt}.${rank}`;
    const written = { id: newId("note"), runId, text: note, createdBy, createdAt: deps.now() };
    await addNote(deps, tx, { ...written, project: run.project, ...(at === undefined ? {} : { at }) });
  }
  return saved;
}
