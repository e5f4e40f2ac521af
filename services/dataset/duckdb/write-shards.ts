import { join } from "node:path";
import type { Contract } from "../domain/contract.ts";
import { planShards, planSplits, type SplitPlan } from "../domain/plan-splits.ts";
import type { FileColumn } from "../domain/rule.ts";
import { column } from "./names.ts";
import type { Duckdb } from "./open-duckdb.ts";
import { identifier, joined, type Sql, sql, text } from "./sql.ts";

/** Rows of a Parquet row group; fixed, so that equal rows are equal bytes. */
const ROW_GROUP_ROWS = 65_536;
/** Stretches that are written by one statement. */
const INSERT_BATCH = 500;

/** One shard, written to a file. */
export interface WrittenShard {
  readonly split: string;
  readonly rows: number;
  readonly path: string;
}

/**
 * Assigns every row of `source` to a split and writes the splits as shards, one at a time. A row's place follows from
 * the seed and its key alone, by MD5, which every version of DuckDB computes alike; the order of the file's rows makes
 * no difference. Equal rows, contract and version of DuckDB give equal bytes.
 */
export async function* writeShards(
  db: Duckdb,
  dir: string,
  contract: Contract,
  columns: readonly FileColumn[],
): AsyncGenerator<WrittenShard> {
  const key = columnNamed(columns, contract.key);
  const stratum =
    contract.stratifyBy === undefined
      ? sql`${text("")}`
      : sql`CAST(${column(columnNamed(columns, contract.stratifyBy))} AS VARCHAR)`;
  await db.run(
    sql`CREATE TABLE hashed AS SELECT rid, md5(concat(${text(String(contract.seed))}, ':', CAST(${column(key)} AS VARCHAR))) AS hash, CAST(${column(key)} AS VARCHAR) AS key, ${stratum} AS stratum FROM typed`,
  );
  const plan = await planOf(db, contract);
  await assignRows(db, columns);
  for (const [index, { name, rows }] of plan.splits.entries()) {
    let from = 0;
    for (const [number, size] of planShards(rows, contract.shards).entries()) {
      const path = join(dir, `${name}-${number}.parquet`);
      await db.run(copyRows(columns, index, from, from + size, path));
      yield { split: name, rows: size, path };
      from += size;
    }
  }
}

/** Counts the strata and writes down, in table `stretches`, which of their rows go where. No value of the file leaves DuckDB. */
async function planOf(db: Duckdb, contract: Contract): Promise<SplitPlan> {
  await db.run(
    sql`CREATE TABLE strata AS SELECT stratum, row_number() OVER (ORDER BY stratum NULLS FIRST) - 1 AS id, n FROM (SELECT stratum, count(*) AS n FROM hashed GROUP BY stratum)`,
  );
  const counted = await db.rows(sql`SELECT n::VARCHAR FROM strata ORDER BY id`);
  const plan = planSplits(
    contract.splits,
    counted.map(([rows]) => Number(rows)),
  );
  await db.run(sql`CREATE TABLE stretches (stratum BIGINT, split INTEGER, lowest BIGINT, beyond BIGINT)`);
  for (let at = 0; at < plan.stretches.length; at += INSERT_BATCH) {
    const values = plan.stretches
      .slice(at, at + INSERT_BATCH)
      .map(({ stratum, split, from, to }) => sql`(${stratum}, ${split}, ${from}, ${to})`);
    await db.run(sql`INSERT INTO stretches VALUES ${joined(values, ", ")}`);
  }
  return plan;
}

/** Table `sharded`: the rows with their split and place, stored in that order, so that a shard is one stretch of it. */
async function assignRows(db: Duckdb, columns: readonly FileColumn[]): Promise<void> {
  await db.run(
    sql`CREATE TABLE placed AS SELECT rid, split, row_number() OVER (PARTITION BY split ORDER BY hash, key) - 1 AS place FROM (SELECT rid, hash, key, id, row_number() OVER (PARTITION BY id ORDER BY hash, key) - 1 AS nth FROM hashed JOIN strata ON hashed.stratum IS NOT DISTINCT FROM strata.stratum) AS h JOIN stretches AS s ON h.id = s.stratum AND nth >= lowest AND nth < beyond`,
  );
  await db.run(sql`DROP TABLE hashed`);
  const values = joined(
    columns.map((one) => sql`t.${column(one)}`),
    ", ",
  );
  await db.run(
    sql`CREATE TABLE sharded AS SELECT p.split, p.place, ${values} FROM placed AS p JOIN typed AS t ON t.rid = p.rid ORDER BY p.split, p.place`,
  );
  await db.run(sql`DROP TABLE placed`);
}

function copyRows(
  columns: readonly FileColumn[],
  split: number,
  from: number,
  to: number,
  path: string,
): Sql {
  const named = joined(
    columns.map((one) => sql`${column(one)} AS ${identifier(one.name)}`),
    ", ",
  );
  return sql`COPY (SELECT ${named} FROM sharded WHERE split = ${split} AND place >= ${from} AND place < ${to} ORDER BY place) TO ${text(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${ROW_GROUP_ROWS})`;
}

function columnNamed(columns: readonly FileColumn[], name: string): FileColumn {
  const found = columns.find((one) => one.name === name);
  if (found === undefined) throw new Error(`the rules passed without column ${JSON.stringify(name)}`);
  return found;
}
