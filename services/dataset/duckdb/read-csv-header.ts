import { open } from "node:fs/promises";
import { csvHeader } from "../domain/csv-header.ts";
import { printable } from "../domain/printable.ts";
import { fileUnreadable } from "./unreadable.ts";

/** The header's record has to end within so many bytes. */
const MAX_HEADER_BYTES = 1024 * 1024;

/**
 * The names in a CSV file's header. DuckDB is not left to find them: it guesses, and takes a later line for the header
 * when the first rows do not fit together. Throws FILE_UNREADABLE.
 */
export async function readCsvHeader(path: string): Promise<readonly string[]> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    if (size === 0) throw fileUnreadable("it is empty; expected a header and rows");
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(size, MAX_HEADER_BYTES)), 0);
    const names = csvHeader(buffer.toString("utf8", 0, bytesRead), bytesRead === size);
    if (names === undefined) {
      throw fileUnreadable(
        "its first line is no CSV header: a quote is out of place, or the line does not end",
      );
    }
    assertDistinct(names);
    return names;
  } finally {
    await file.close();
  }
}

function assertDistinct(names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    const key = name.toLowerCase();
    if (seen.has(key)) throw fileUnreadable(`two columns are named "${printable(name)}" (letter case aside)`);
    seen.add(key);
  }
}
