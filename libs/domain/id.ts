import { TypeID, typeid } from "typeid-js";
import { DomainError } from "./domain-error.ts";

/**
 * What each id's prefix stands for. Ids are TypeIDs: `job_01h455vb4pex5vsknk084sn02q`. They say what they name, sort by
 * the time they were made, and hold nothing that a NATS subject, a URL or a file name would have to escape.
 */
export const idKinds = {
  job: "job",
  run: "run",
  exp: "experiment",
  node: "node",
  ds: "dataset",
  dsv: "dataset version",
  eval: "evaluation",
  suite: "evaluation suite",
  model: "model",
  mv: "model version",
  evt: "event",
  tok: "API token",
  join: "join token",
  req: "request",
  ckpt: "checkpoint",
  art: "artifact",
  note: "note",
} as const;

export type IdKind = keyof typeof idKinds;

/** Makes a new id of this kind. Ids made one after another in one process sort in that order. */
export function newId(kind: IdKind): string {
  return typeid(kind).toString();
}

/** Whether the text is a well-formed id of this kind. It says nothing about whether the thing exists. */
export function isId(kind: IdKind, text: string): boolean {
  if (!text.startsWith(`${kind}_`)) return false;
  try {
    return TypeID.fromString(text, kind).toString() === text;
  } catch {
    return false;
  }
}

/** Throws `invalid_argument` ID_INVALID, naming the field and the kind, unless the text is an id of this kind. */
export function assertId(kind: IdKind, field: string, text: string): void {
  if (isId(kind, text)) return;
  const description = `expected the id of a ${idKinds[kind]} (${kind}_ and 26 characters), got ${JSON.stringify(text.slice(0, 64))}`;
  throw new DomainError("invalid_argument", "ID_INVALID", `${field}: ${description}.`, {
    violations: [{ field, description }],
  });
}
