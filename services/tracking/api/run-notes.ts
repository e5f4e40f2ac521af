import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { tracking } from "@trainyard/contracts";
import { DomainError, newId } from "@trainyard/domain";
import { actorOf, hasRole, principalOf } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { assertMarkdown } from "../domain/check-texts.ts";
import { invalidField, limitExceeded } from "../domain/errors.ts";
import { MAX_FAVOURITES } from "../domain/limits.ts";
import type { RunNote } from "../domain/run-note.ts";
import { addNote } from "../operations/add-note.ts";
import { awaitRun } from "../operations/await-run.ts";
import { findChangeable, findVisible, saveChange } from "../operations/change-run.ts";
import { notePlaceFromProto, noteToProto } from "../wire/note.ts";
import { answerOnce } from "./once.ts";
import { pageInfo, pageOf } from "./page.ts";

type Methods = Pick<
  ServiceImpl<typeof tracking.RunService>,
  "addNote" | "deleteNote" | "listNotes" | "setFavourite"
>;

/** What people note about runs, and which of them they like. */
export function runNotesApi(deps: Deps): Methods {
  const { notes, favourites } = deps.records;
  return {
    async addNote(request, context) {
      const { runId, text } = request;
      if (text.trim() === "") throw invalidField("text", "expected at least one visible character");
      assertMarkdown("text", text);
      const at = notePlaceFromProto(request);
      const principal = principalOf(context);
      const schema = tracking.AddNoteResponseSchema;
      const written = {
        id: newId("note"),
        runId,
        text,
        ...(at === undefined ? {} : { at }),
        createdBy: actorOf(principal),
        createdAt: deps.now(),
      };
      return await answerOnce(deps, context, request, schema, async (tx) => {
        const { run } = await findChangeable(deps, tx, runId, principal);
        await saveChange(deps, tx, run, run);
        const note: RunNote = { ...written, project: run.project };
        await addNote(deps, tx, note);
        return create(schema, { note: noteToProto(note) });
      });
    },

    async deleteNote(request, context) {
      const { runId, noteId } = request;
      const principal = principalOf(context);
      const schema = tracking.DeleteNoteResponseSchema;
      return await answerOnce(deps, context, request, schema, async (tx) => {
        await findChangeable(deps, tx, runId, principal);
        const note = await notes.find(noteId, tx);
        if (note === undefined || note.runId !== runId) throw noteNotFound(runId, noteId);
        if (note.createdBy !== actorOf(principal) && !hasRole(principal, "admin")) throw noteOfAnother(note);
        await notes.remove(tx, noteId);
        return create(schema);
      });
    },

    async listNotes(request, context) {
      const run = await awaitRun(deps, request.runId, principalOf(context), context.signal);
      const { ofSteps } = request;
      const query = { list: "notes", run: run.id, ofSteps };
      const page = pageOf(request.page, query);
      const found = await notes.list(run.id, { before: page.before, limit: page.size + 1, ofSteps });
      const { rows, page: info } = pageInfo(found, page, query);
      return { notes: rows.map(noteToProto), page: info };
    },

    async setFavourite(request, context) {
      const principal = principalOf(context);
      const who = actorOf(principal);
      const schema = tracking.SetFavouriteResponseSchema;
      return await answerOnce(deps, context, request, schema, async (tx) => {
        const { run } = await findVisible(deps, tx, request.runId, principal);
        if (!request.favourite) await favourites.remove(tx, who, run.id);
        else {
          const marked = await favourites.of(who, tx);
          if (!marked.includes(run.id) && marked.length >= MAX_FAVOURITES) {
            const got = marked.length + 1;
            throw limitExceeded("run_id", "MAX_FAVOURITES", MAX_FAVOURITES, got, "favourites", "stored");
          }
          const { id: runId, project } = run;
          await favourites.add(tx, { principal: who, runId, project, createdAt: deps.now() });
        }
        return create(schema);
      });
    },
  };
}

function noteNotFound(runId: string, noteId: string): DomainError {
  return new DomainError("not_found", "NOTE_NOT_FOUND", `Run ${runId} has no note ${noteId}.`);
}

function noteOfAnother({ id, createdBy }: RunNote): DomainError {
  const message = `Note ${id} is by ${createdBy}: only they or an admin may remove it.`;
  return new DomainError("permission_denied", "NOTE_OF_ANOTHER", message, {
    metadata: { author: createdBy },
  });
}
