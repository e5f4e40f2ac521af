import { textReadAs } from "../domain/column-type.ts";
import type { FileKind } from "../domain/compile-rules.ts";
import { type Contract, specOf } from "../domain/contract.ts";
import { printable } from "../domain/printable.ts";
import type { FileColumn } from "../domain/rule.ts";
import { column, raw } from "./names.ts";
import type { Duckdb } from "./open-duckdb.ts";
import { readCsvHeader } from "./read-csv-header.ts";
import { joined, type Sql, sql, text, typeName } from "./sql.ts";
import { fileUnreadable, refusingUnreadable } from "./unreadable.ts";

/** Columns of a file that are read: a version's report and description have to fit into one message. */
export const MAX_COLUMNS = 2_048;
/** Longest name of a column, in characters. */
export const MAX_COLUMN_NAME = 128;

/**
 * Reads the untrusted file once, into table `source`; from then on only DuckDB's own storage is read. View `typed` has
 * the same rows: rid, and per column cN (its value in its type; null where a CSV's text is none) and rN (as it stood
 * there). No name of the file's is ever part of a statement here. Throws `invalid_argument` FILE_UNREADABLE.
 */
export async function loadSource(
  db: Duckdb,
  path: string,
  kind: FileKind,
  contract: Contract,
): Promise<readonly FileColumn[]> {
  const columns = kind === "csv" ? await csvColumns(path) : await parquetColumns(db, path);
  assertColumns(columns);
  const reader = readerOf(path, kind, columns);
  const names = joined(columns.map(column), ", ");
  await refusingUnreadable(path, () =>
    db.run(sql`CREATE TABLE source AS SELECT * FROM ${reader} AS t(${names})`),
  );
  const read = columns.map((one) => ({ ...one, type: typeAfterReading(one, kind, contract) }));
  const both = joined(
    read.map((one) => sql`${typedValue(one, kind)} AS ${column(one)}, ${column(one)} AS ${raw(one)}`),
    ", ",
  );
  await db.run(sql`CREATE VIEW typed AS SELECT rowid AS rid, ${both} FROM source`);
  return read;
}

async function csvColumns(path: string): Promise<readonly FileColumn[]> {
  return (await readCsvHeader(path)).map((name, index) => ({ index, name, type: "VARCHAR" }));
}

async function parquetColumns(db: Duckdb, path: string): Promise<readonly FileColumn[]> {
  const found = await refusingUnreadable(path, () =>
    db.rows(sql`DESCRIBE SELECT * FROM ${readerOf(path, "parquet", [])}`),
  );
  return found.map(([name, type], index) => ({ index, name: String(name), type: String(type) }));
}

/** Everything about the format is said, nothing guessed; columns are found by place, never by the names of folders. */
function readerOf(path: string, kind: FileKind, columns: readonly FileColumn[]): Sql {
  if (kind === "parquet") return sql`read_parquet(${text(path)}, hive_partitioning = false)`;
  const types = joined(
    columns.map(({ index }) => sql`${text(`c${index}`)}: 'VARCHAR'`),
    ", ",
  );
  return sql`read_csv(${text(path)}, auto_detect = false, columns = {${types}}, header = true, delim = ',', quote = '"', escape = '"', nullstr = '', strict_mode = true, hive_partitioning = false)`;
}

function typeAfterReading({ name, type }: FileColumn, kind: FileKind, contract: Contract): string {
  if (kind === "parquet") return type;
  const spec = specOf(contract.columns, name);
  return (spec === undefined ? undefined : textReadAs(spec.type)) ?? type;
}

function typedValue(one: FileColumn, kind: FileKind): Sql {
  if (kind === "parquet" || one.type === "VARCHAR") return column(one);
  return sql`TRY_CAST(${column(one)} AS ${typeName(one.type)})`;
}

function assertColumns(columns: readonly FileColumn[]): void {
  if (columns.length > MAX_COLUMNS) {
    throw fileUnreadable(`it has ${columns.length} columns; at most ${MAX_COLUMNS} are read`);
  }
  for (const { index, name } of columns) {
    if (name === "" || name.length > MAX_COLUMN_NAME || /\p{Cc}/u.test(name) || !name.isWellFormed()) {
      throw fileUnreadable(
        `column ${index + 1} is named "${printable(name)}"; expected 1 to ${MAX_COLUMN_NAME} characters, none of them a control character`,
      );
    }
  }
}
