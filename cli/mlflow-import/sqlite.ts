import { DatabaseSync } from "node:sqlite";
import { DomainError } from "@trainyard/domain";

export type Row = Readonly<Record<string, unknown>>;

type Value = string | number | bigint;

/** A SQLite database of MLflow's, for reading only. Whole numbers come as bigint. */
export class Sqlite {
  readonly #database: DatabaseSync;

  /** Throws MLFLOW_DATABASE_INVALID. */
  constructor(file: string) {
    this.#database = openDatabase(file);
  }

  rows(query: string, ...values: Value[]): Row[] {
    return [...this.each(query, ...values)];
  }

  *each(query: string, ...values: Value[]): Generator<Row> {
    const statement = this.#database.prepare(query);
    statement.setReadBigInts(true);
    yield* statement.iterate(...values);
  }

  /** Whether there is such a table: those of newer versions are missing in older databases. */
  has(table: string): boolean {
    return this.rows("SELECT 1 FROM sqlite_master WHERE name = ?", table).length > 0;
  }

  count(table: string, where: string): number {
    return Number(this.rows(`SELECT count(*) AS n FROM ${table} WHERE ${where}`)[0]?.n ?? 0);
  }

  /** The columns `key` and `value` of the rows where `column` is as given. */
  texts(table: string, column: string, of: unknown): Record<string, string> {
    const value = typeof of === "bigint" ? of : String(of);
    const rows = this.rows(`SELECT key, value FROM ${table} WHERE ${column} = ?`, value);
    return Object.fromEntries(rows.map((row) => [String(row.key), textOf(row.value)]));
  }

  close(): void {
    this.#database.close();
  }
}

function openDatabase(file: string): DatabaseSync {
  try {
    const database = new DatabaseSync(file, { readOnly: true });
    database.prepare("SELECT run_uuid FROM runs LIMIT 1").all();
    return database;
  } catch (error) {
    throw new DomainError(
      "failed_precondition",
      "MLFLOW_DATABASE_INVALID",
      `${file} is no SQLite database of MLflow: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

/** What a column holds as text; nothing is the empty one. */
export function textOf(value: unknown): string {
  return value === null || value === undefined ? "" : String(value);
}
