import { DomainError } from "@trainyard/domain";
import { printable } from "../domain/printable.ts";
import { DuckdbError } from "./duckdb-error.ts";

/** The refusal of a file that is not what it should be: `invalid_argument` FILE_UNREADABLE. */
export function fileUnreadable(reason: string, cause?: unknown): DomainError {
  const description = `The file cannot be read: ${reason}. Is it of the format that was given?`;
  return new DomainError("invalid_argument", "FILE_UNREADABLE", description, {
    violations: [{ field: "source_digest", description }],
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Says DuckDB's reason in the user's terms: what it could not do, without where this service keeps its files. */
export async function refusingUnreadable<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof DuckdbError) || error.isExhaustion) throw error;
    const reason = (error.message.split(/\n\s*\n|\nLINE |\nPossible /)[0] ?? "")
      .replaceAll(path, "the file")
      .replaceAll("\n", " ")
      .replace(/^[\w ]+ Error: /, "")
      .trim();
    throw fileUnreadable(printable(reason, 500), error);
  }
}
