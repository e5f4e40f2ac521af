import { randomUUID } from "node:crypto";
import { tracking } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { collectPages } from "../client/collect-pages.ts";
import type { Session } from "../session.ts";

/** The options of `runs tag`. */
export interface TagFlags {
  readonly remove?: readonly string[];
}

/** Reads `key=value` arguments. */
export function parseTags(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf("=");
      if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
      const message = `${JSON.stringify(text)}: expected KEY=VALUE, such as team=vision`;
      throw new DomainError("invalid_argument", "TAG_INVALID", message);
    }),
  );
}

/** Sets and removes tags of a run. */
export async function tagRun(
  session: Session,
  runId: string,
  texts: readonly string[],
  flags: TagFlags,
): Promise<void> {
  const { runs } = await session.clients();
  const tags = parseTags(texts);
  const keys = [...(flags.remove ?? [])];
  if (texts.length > 0) await runs.setRunTags({ requestId: randomUUID(), runId, tags });
  if (keys.length > 0) await runs.deleteRunTags({ requestId: randomUUID(), runId, keys });
  if (!session.json) session.print(`${runId}: ${texts.length} set, ${keys.length} removed`);
  else await printRun(session, runId);
}

/** The options of `runs note`. */
export interface NoteFlags {
  readonly remove?: string;
  readonly step?: number;
  readonly key?: string;
  readonly limit: number;
}

/** What a note is about, for people; empty for the whole run. */
export function notePlace({ step, key }: tracking.Note): string {
  return step === undefined ? "" : `${key === "" ? "" : `${key} `}@ ${step}`;
}

/** Adds a note to a run, removes one, or lists them. */
export async function noteRun(
  session: Session,
  runId: string,
  text: string | undefined,
  flags: NoteFlags,
): Promise<void> {
  const { runs } = await session.clients();
  if (flags.remove !== undefined) {
    await runs.deleteNote({ requestId: randomUUID(), runId, noteId: flags.remove });
    session.say(`note ${flags.remove} is removed`);
  } else if (text !== undefined) {
    const { step, key = "" } = flags;
    const place = step === undefined ? { key } : { step: BigInt(step), key };
    const response = await runs.addNote({ requestId: randomUUID(), runId, text, ...place });
    if (session.json) session.printMessage(tracking.AddNoteResponseSchema, response);
    else session.print(`noted: ${response.note?.id}`);
  } else {
    const { items } = await collectPages(flags.limit, async (page) => {
      const response = await runs.listNotes({ runId, page });
      return { items: response.notes, next: response.page?.nextPageToken ?? "" };
    });
    if (session.json) {
      session.printMessage(tracking.ListNotesResponseSchema, {
        $typeName: "trainyard.tracking.v1.ListNotesResponse",
        notes: items,
      });
      return;
    }
    const columns = [
      { title: "note", cell: ({ id }: tracking.Note) => id },
      { title: "when", cell: ({ createdAt }: tracking.Note) => session.time(createdAt) },
      { title: "by", cell: ({ createdBy }: tracking.Note) => createdBy },
      { title: "at", cell: notePlace },
      { title: "text", cell: (note: tracking.Note) => note.text },
    ];
    session.printTable(columns, items, "No notes.");
  }
}

/** The options of `runs edit`. */
export interface EditFlags {
  readonly name?: string;
  readonly description?: string;
}

/** Renames or describes a run. */
export async function editRun(session: Session, runId: string, flags: EditFlags): Promise<void> {
  const { runs } = await session.clients();
  const { name, description } = flags;
  await runs.updateRun({
    requestId: randomUUID(),
    runId,
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { note: description }),
  });
  if (session.json) await printRun(session, runId);
  else session.print(`${runId} is changed`);
}

/** Deletes, archives or restores runs, one after the other; the first that is refused ends it. */
export async function moveRuns(
  session: Session,
  ids: readonly string[],
  to: "delete" | "archive" | "restore",
): Promise<void> {
  const { runs } = await session.clients();
  const calls = {
    delete: runs.deleteRun,
    archive: runs.archiveRun,
    restore: runs.restoreRun,
  } as const;
  const done = { delete: "deleted", archive: "archived", restore: "restored" } as const;
  for (const runId of ids) {
    await calls[to]({ requestId: randomUUID(), runId });
    if (session.json) await printRun(session, runId);
    else session.print(`${runId} is ${done[to]}`);
  }
}

/** Marks runs as favourites of who asks, or no longer. */
export async function favourRuns(
  session: Session,
  ids: readonly string[],
  flags: { readonly off?: boolean },
): Promise<void> {
  const { runs } = await session.clients();
  const favourite = flags.off !== true;
  for (const runId of ids) {
    await runs.setFavourite({ requestId: randomUUID(), runId, favourite });
    session.say(`${runId} is ${favourite ? "" : "no longer "}a favourite`);
  }
}

async function printRun(session: Session, runId: string): Promise<void> {
  const { tracking: client } = await session.clients();
  session.printMessage(tracking.GetRunResponseSchema, await client.getRun({ runId }), { indent: 0 });
}
