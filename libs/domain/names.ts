import { DomainError } from "./domain-error.ts";

/** Longest name of an experiment, dataset, model, queue, suite or project, in characters. */
export const MAX_NAME_LENGTH = 128;

/** Longest path of an artifact inside its run, in UTF-8 bytes. */
export const MAX_ARTIFACT_PATH_BYTES = 512;

const NAME = /^[a-zA-Z0-9_][a-zA-Z0-9._-]*$/;

/**
 * Accepts what people name things by: 1 to 128 letters, digits, `.`, `_` and `-`, not starting with `.` or `-` (so that
 * a name is never a hidden file or a command's flag). Throws `invalid_argument` NAME_INVALID naming the field.
 */
export function assertName(field: string, text: string): void {
  if (text.length <= MAX_NAME_LENGTH && NAME.test(text)) return;
  const description = `expected 1 to ${MAX_NAME_LENGTH} letters, digits, ".", "_" or "-", not starting with "." or "-", got ${quote(text)}`;
  throw new DomainError("invalid_argument", "NAME_INVALID", `${field}: ${description}.`, {
    violations: [{ field, description }],
  });
}

/**
 * Accepts an artifact's path inside its run: relative, parts separated by `/`, no empty, `.` or `..` part, no backslash
 * or control character, in Unicode normal form C (so that one visible name is one path), at most 512 bytes. Throws
 * `invalid_argument` ARTIFACT_PATH_INVALID that says which rule was broken.
 */
export function assertArtifactPath(field: string, text: string): void {
  const problem = artifactPathProblem(text);
  if (problem === undefined) return;
  const description = `${quote(text)} ${problem}; expected a relative path such as "reports/confusion.json"`;
  throw new DomainError("invalid_argument", "ARTIFACT_PATH_INVALID", `${field}: ${description}.`, {
    violations: [{ field, description }],
  });
}

function artifactPathProblem(text: string): string | undefined {
  if (text === "") return "is empty";
  if (Buffer.byteLength(text, "utf8") > MAX_ARTIFACT_PATH_BYTES) {
    return `is longer than ${MAX_ARTIFACT_PATH_BYTES} bytes`;
  }
  if (!text.isWellFormed()) return "is not valid Unicode";
  if (/\p{Cc}/u.test(text)) return "contains a control character";
  if (text.includes("\\")) return 'contains a backslash (parts are separated by "/")';
  if (text.startsWith("/")) return "is absolute";
  if (text !== text.normalize("NFC")) return "is not in Unicode normal form C";
  const parts = text.split("/");
  if (parts.includes("..")) return 'contains ".."';
  if (parts.includes(".") || parts.includes("")) return 'contains an empty part or "."';
  return undefined;
}

function quote(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return text.isWellFormed() ? JSON.stringify(shown) : "(not valid Unicode)";
}
