import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { DuckdbError } from "./duckdb-error.ts";
import { type Sql, sql, text } from "./sql.ts";

/** An interrupt that comes before a statement has begun to run is lost, so it is made again until the statement ends. */
const INTERRUPT_EVERY_MS = 50;

/** What one registration may use of the machine. */
export interface DuckdbLimits {
  readonly memoryMb: number;
  readonly threads: number;
}

/** A value as it comes back: numbers and texts as they are, all else as text. */
export type Row = readonly (string | number | null)[];

/** A private, locked-down DuckDB database on disk. */
export interface Duckdb {
  run(statement: Sql): Promise<void>;
  /** Reads a small result whole. 64-bit integers are texts. */
  rows(statement: Sql): Promise<readonly Row[]>;
  close(): void;
}

/**
 * Opens a database in a folder of its own. The files that it reads are untrusted, so it can reach that folder and
 * nothing else of the machine or the network, loads no extensions, and cannot be told otherwise any more. What exceeds
 * the memory limit goes to the folder. An aborted signal interrupts what is running;
 * its reason is thrown. Every other failure is a DuckdbError.
 */
export async function openDuckdb(dir: string, limits: DuckdbLimits, signal: AbortSignal): Promise<Duckdb> {
  const instance = await DuckDBInstance.create(join(dir, "work.duckdb"), {
    memory_limit: `${limits.memoryMb}MB`,
    threads: String(limits.threads),
    temp_directory: join(dir, "spill"),
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    allow_community_extensions: "false",
  });
  const connection = await instance.connect();
  let nagging: NodeJS.Timeout | undefined;
  const interrupt = () => {
    connection.interrupt();
    nagging ??= setInterval(interrupt, INTERRUPT_EVERY_MS);
  };
  signal.addEventListener("abort", interrupt);
  const guarded = async <T>(fn: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    try {
      return await fn();
    } catch (error) {
      signal.throwIfAborted();
      throw new DuckdbError(error instanceof Error ? error.message : String(error), { cause: error });
    } finally {
      clearInterval(nagging);
    }
  };
  const db: Duckdb = {
    run: ({ code }) => guarded(async () => void (await connection.run(code))),
    rows: ({ code }) =>
      guarded(async () => {
        const reader = await connection.runAndReadAll(code);
        // Rows as JSON hold what Row says; nested values are not selected by this service.
        return reader.getRowsJson() as unknown as readonly Row[];
      }),
    close() {
      clearInterval(nagging);
      signal.removeEventListener("abort", interrupt);
      connection.closeSync();
      instance.closeSync();
    },
  };
  try {
    await db.run(sql`SET allowed_directories = [${text(`${dir}/`)}]`);
    await db.run(sql`SET enable_external_access = false`);
    await db.run(sql`SET lock_configuration = true`);
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}
