import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  BIGINT,
  DOUBLE,
  DuckDBDataChunk,
  DuckDBInstance,
  DuckDBMapValue,
  DuckDBTimestampTZValue,
  type DuckDBType,
  type DuckDBValue,
  INTEGER,
  MAP,
  TIMESTAMPTZ,
  VARCHAR,
} from "@duckdb/node-api";

/** What a column holds. A moment is told as a Date, and is a timestamp in UTC in the file. */
const types = {
  text: VARCHAR,
  integer: INTEGER,
  bigint: BIGINT,
  double: DOUBLE,
  time: TIMESTAMPTZ,
  texts: MAP(VARCHAR, VARCHAR),
  doubles: MAP(VARCHAR, DOUBLE),
} as const satisfies Readonly<Record<string, DuckDBType>>;

type Cell = string | number | bigint | Date | Readonly<Record<string, string | number>> | null;

/** A column of a Parquet file and where its values come from. */
export interface ParquetColumn<Row> {
  readonly name: string;
  readonly type: keyof typeof types;
  readonly value: (row: Row) => Cell;
}

/** Rows of a chunk: DuckDB's own vector size. */
const chunkRows = 2_048;
const memoryLimit = "512MB";

/**
 * Writes rows as they come into a Parquet file, by DuckDB: they wait in a database file beside the temporary files, so that
 * memory is bounded, and are compressed (zstd) when all have come.
 */
export async function writeParquet<Row>(
  path: string,
  columns: readonly ParquetColumn<Row>[],
  batches: AsyncIterable<readonly Row[]>,
): Promise<{ readonly rows: number; readonly sizeBytes: number }> {
  const folder = await mkdtemp(join(tmpdir(), "trainyard-parquet-"));
  const instance = await DuckDBInstance.create(join(folder, "rows.duckdb"), {
    memory_limit: memoryLimit,
    threads: "2",
  });
  try {
    const connection = await instance.connect();
    const fields = columns.map(({ name, type }) => `"${name}" ${types[type]}`);
    await connection.run(`CREATE TABLE rows (${fields.join(", ")})`);
    const appender = await connection.createAppender("rows");
    const columnTypes = columns.map(({ type }) => types[type]);
    let rows = 0;
    for await (const batch of batches) {
      for (let at = 0; at < batch.length; at += chunkRows) {
        const chunk = DuckDBDataChunk.create(columnTypes);
        chunk.setRows(
          batch.slice(at, at + chunkRows).map((row) => columns.map(({ value }) => cellOf(value(row)))),
        );
        appender.appendDataChunk(chunk);
      }
      rows += batch.length;
    }
    appender.closeSync();
    await connection.run(`COPY rows TO '${path.replaceAll("'", "''")}' (FORMAT parquet, COMPRESSION zstd)`);
    connection.closeSync();
    return { rows, sizeBytes: (await stat(path)).size };
  } finally {
    instance.closeSync();
    await rm(folder, { recursive: true, force: true });
  }
}

function cellOf(value: Cell): DuckDBValue {
  if (value instanceof Date) return new DuckDBTimestampTZValue(BigInt(value.getTime()) * 1000n);
  if (value === null || typeof value !== "object") return value;
  return new DuckDBMapValue(Object.entries(value).map(([key, one]) => ({ key, value: one })));
}
