import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { tracking } from "@trainyard/contracts";
import { invalidField } from "../domain/errors.ts";
import { MAX_KEY_CHARACTERS } from "../domain/limits.ts";
import type { NotePlace, RunNote } from "../domain/run-note.ts";
import { safeNumber } from "./numbers.ts";

/** What a note is about, checked; undefined for the whole run. */
export function notePlaceFromProto({
  step,
  key,
}: Pick<tracking.AddNoteRequest, "step" | "key">): NotePlace | undefined {
  if (key.length > MAX_KEY_CHARACTERS) {
    const description = `expected at most ${MAX_KEY_CHARACTERS} characters (MAX_KEY_CHARACTERS), got ${key.length}`;
    throw invalidField("key", description, "METRIC_KEY_INVALID");
  }
  if (step !== undefined) return { step: safeNumber("step", step, -Number.MAX_SAFE_INTEGER), key };
  if (key === "") return undefined;
  throw invalidField("step", "is required with a key: the note is about a point of that metric");
}

/** A note as the wire has it. */
export function noteToProto({ id, runId, text, at, createdBy, createdAt }: RunNote): tracking.Note {
  return create(tracking.NoteSchema, {
    id,
    runId,
    text,
    createdBy,
    createdAt: timestampFromDate(createdAt),
    ...(at === undefined ? {} : { step: BigInt(at.step), key: at.key }),
  });
}
