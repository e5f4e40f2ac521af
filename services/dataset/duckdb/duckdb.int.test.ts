import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDomainError } from "@trainyard/domain";
import { tempDir } from "@trainyard/testing";
import { describe, expect, it } from "vitest";
import { parseContract } from "../contract/parse-contract.ts";
import { compileRules, type FileKind } from "../domain/compile-rules.ts";
import { duck } from "../test-service.ts";
import { loadSource } from "./load-source.ts";
import { openDuckdb } from "./open-duckdb.ts";
import { runRules } from "./run-rules.ts";
import { identifier, number, sql, text } from "./sql.ts";
import { writeShards } from "./write-shards.ts";

const limits = { memoryMb: 128, threads: 2 };

async function opened(signal = new AbortController().signal) {
  const dir = tempDir("duckdb");
  return { dir, db: await openDuckdb(dir, limits, signal) };
}

/** What a contract finds in a file, and the file's columns. */
async function validate(path: string, kind: FileKind, yaml: string) {
  const { db, dir } = await opened();
  const own = join(dir, "source");
  writeFileSync(own, readFileSync(path));
  const { contract } = parseContract(yaml, "any");
  try {
    const columns = await loadSource(db, own, kind, contract);
    const key = columns.find(({ name }) => name === contract.key);
    const { report } = await runRules(db, compileRules(contract, columns, kind), key);
    const failed = report.rules.filter(({ passed }) => !passed);
    const shards: number[] = [];
    mkdirSync(join(dir, "shards"));
    if (report.passed) {
      for await (const { rows } of writeShards(db, join(dir, "shards"), contract, columns)) shards.push(rows);
    }
    return {
      columns,
      shards,
      failed: failed.map(({ rule, failedRows, examples }) => [rule, failedRows, examples]),
    };
  } finally {
    db.close();
  }
}

async function parquet(query: string): Promise<string> {
  const { dir } = await duck([`COPY (${query}) TO '{dir}/file.parquet'`]);
  return join(dir, "file.parquet");
}

describe("the DuckDB of a registration", () => {
  it.each([
    ["read another file of the machine", "SELECT * FROM read_csv('/etc/passwd')"],
    ["write outside its folder", "COPY (SELECT 1) TO '/tmp/trainyard-escape.csv'"],
    ["climb out of its folder", "SELECT * FROM read_text('{dir}/../../etc/passwd')"],
    ["reach the network", "SELECT * FROM read_csv('https://example.com/x.csv')"],
    ["load an extension", "INSTALL httpfs"],
    ["attach another database", "ATTACH '/tmp/trainyard-other.duckdb' AS other"],
    ["be unlocked again", "SET enable_external_access = true"],
    ["be given more memory", "SET memory_limit = '64GB'"],
  ])("cannot %s", async (_what, code) => {
    const { db, dir } = await opened();
    await expect(db.run({ code: code.replaceAll("{dir}", dir) })).rejects.toThrow(
      /disabled|locked|Permission|not allowed|cannot/i,
    );
    db.close();
  });

  it("stops what it is doing when the caller goes away", async () => {
    const controller = new AbortController();
    const { db } = await opened(controller.signal);
    const endless = db.rows(
      sql`SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range = 7`,
    );
    controller.abort(new Error("gone"));
    await expect(endless).rejects.toThrow("gone");
    await expect(db.run(sql`SELECT 1`)).rejects.toThrow("gone");
    db.close();
  });
});

describe("SQL", () => {
  it("gives every text back as it was, as a value and as a name", async () => {
    const { db } = await opened();
    for (const hostile of ["it's", `"; drop table x`, "'); --", "\\'", "ü🚂\u202e", "$1 ?", "a\nb", "''"]) {
      const found = await db.rows(
        sql`SELECT t.${identifier(hostile)} FROM (SELECT ${text(hostile)} AS ${identifier(hostile)}) AS t`,
      );
      expect(found).toEqual([[hostile]]);
    }
    db.close();
    expect(() => text("a\0b")).toThrow(RangeError);
    expect(() => identifier("")).toThrow(RangeError);
    expect(() => number(Number.NaN)).toThrow(RangeError);
  });
});

describe("rules over a file", () => {
  it("hold dates, timestamps, booleans, decimals, lists and binaries to their types and bounds", async () => {
    const path = await parquet(
      `SELECT 'k' || range AS id, DATE '2026-01-01' + range::INTEGER AS day, TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_hours(range) AS at,
       range % 2 = 0 AS flag, (range / 10)::DECIMAL(10,2) AS price, [0.1, 0.2]::FLOAT[] AS vector, 'x'::BLOB AS raw FROM range(20)`,
    );
    const yaml = (dayMax: string, priceMax: number) => `
key: id
columns:
  - { name: id, type: string, matches: "k[0-9]+" }
  - { name: day, type: date, min: "2026-01-01", max: "${dayMax}" }
  - { name: at, type: timestamp, min: "2026-01-01T00:00:00Z" }
  - { name: flag, type: bool, values: [true, false] }
  - { name: price, type: number, min: 0, max: ${priceMax} }
  - { name: vector, type: list, nullable: false }
  - { name: raw, type: binary }
splits: { train: 0.5, test: 0.5 }
shards: 3
`;
    expect(await validate(path, "parquet", yaml("2026-01-20", 1.9))).toMatchObject({
      failed: [],
      shards: [4, 3, 3, 4, 3, 3],
    });
    const { failed } = await validate(path, "parquet", yaml("2026-01-19", 1.85));
    expect(failed).toEqual([
      ["day is between 2026-01-01 and 2026-01-19", 1, ["id=k19 day=2026-01-20"]],
      ["price is between 0 and 1.85", 1, ["id=k19 price=1.90"]],
    ]);
  });

  it("take a bound as the column's own type does, and fractions of whole numbers inwards", async () => {
    const path = await parquet("SELECT range AS id, 0.1::FLOAT AS x, range::UTINYINT AS small FROM range(4)");
    const yaml = `
key: id
columns:
  - { name: id, type: int64, min: -0.5, max: 2.5 }
  - { name: x, type: float32, min: 0.1, max: 0.1 }
  - { name: small, type: uint8, min: -1000000, max: 1.0e+30 }
`;
    expect((await validate(path, "parquet", yaml)).failed).toEqual([
      ["id is between -0.5 and 2.5", 1, ["id=3"]],
    ]);
  });

  it("compare two columns of each row, and leave out rows where one is missing", async () => {
    const path = await parquet(
      "SELECT range AS id, range AS a, CASE range WHEN 0 THEN NULL ELSE 2 END AS b FROM range(4)",
    );
    const yaml = `
key: id
columns: [{ name: id, type: int64 }, { name: a, type: integer }, { name: b, type: integer }]
rules: [{ name: order, compare: [a, "<=", b] }, { name: few, maxRows: 3 }]
`;
    expect((await validate(path, "parquet", yaml)).failed).toEqual([
      ["order: a <= b", 1, ["id=3 a=3 b=2"]],
      ["few: at most 3 rows", 0, []],
    ]);
  });

  it("find missing and repeated keys, also where there is nothing else to name a row by", async () => {
    const path = await parquet("SELECT CASE WHEN range < 2 THEN NULL ELSE range % 3 END AS id FROM range(8)");
    const yaml = "key: id\ncolumns: [{ name: id, type: int64 }]\n";
    expect((await validate(path, "parquet", yaml)).failed).toEqual([
      ["id is not null", 2, ["id=NULL", "id=NULL"]],
      ["id is unique", 3, ["id=0 rows=2", "id=1 rows=2", "id=2 rows=2"]],
    ]);
  });

  it("refuse a file without rows", async () => {
    const path = await parquet("SELECT range AS id FROM range(0)");
    const yaml = "key: id\ncolumns: [{ name: id, type: int64 }]\n";
    expect((await validate(path, "parquet", yaml)).failed).toEqual([["at least 1 row", 0, []]]);
  });

  it("refuse to stratify by a column of too many values", async () => {
    const path = await parquet("SELECT range AS id FROM range(10001)");
    const yaml = "key: id\nstratifyBy: id\ncolumns: [{ name: id, type: int64 }]\n";
    expect((await validate(path, "parquet", yaml)).failed).toEqual([
      ["id has at most 10000 values to stratify by", 0, []],
    ]);
  });

  it("read CSV with quotes, line ends in fields and empty fields", async () => {
    const path = join(tempDir("csv"), "file.csv");
    writeFileSync(path, 'id,text,n\r\n1,"a, ""b""\nc",1.5\r\n2,,\r\n3,x,oops\r\n');
    const yaml =
      "key: id\ncolumns: [{ name: id, type: int64 }, { name: text, type: string, nullable: false }, { name: n, type: float }]\n";
    expect((await validate(path, "csv", yaml)).failed).toEqual([
      ["text is not null", 1, ["id=2 text=NULL"]],
      ["n is float", 1, ["id=3 n=oops"]],
    ]);
  });

  it("keep strata apart that differ by what SQL texts cannot hold", async () => {
    const path = await parquet(
      "SELECT range AS id, CASE range % 3 WHEN 0 THEN NULL WHEN 1 THEN 'a' || chr(0) ELSE 'a' END AS s FROM range(30)",
    );
    const yaml =
      "key: id\nstratifyBy: s\ncolumns: [{ name: id, type: int64 }, { name: s, type: string }]\nsplits: { a: 0.5, b: 0.5 }\n";
    expect(await validate(path, "parquet", yaml)).toMatchObject({ failed: [], shards: [15, 15] });
  });
});

describe("files that cannot be read", () => {
  const yaml = "key: id\ncolumns: [{ name: id, type: int64, unique: true }]\n";

  it.each([
    [
      "Parquet cut off half way",
      "parquet",
      async () =>
        (await import("node:fs"))
          .readFileSync(await parquet("SELECT range AS id FROM range(9999)"))
          .subarray(0, 3_000),
    ],
    [
      "Parquet with damaged pages",
      "parquet",
      async () =>
        (await import("node:fs"))
          .readFileSync(await parquet("SELECT range AS id FROM range(9999)"))
          .fill(0xff, 20, 2_000),
    ],
    ["an empty file", "parquet", async () => Buffer.alloc(0)],
    ["an empty CSV file", "csv", async () => Buffer.alloc(0)],
    ["CSV that is not UTF-8", "csv", async () => Buffer.from([0x69, 0x64, 0x0a, 0xff, 0xfe, 0x0a])],
    ["CSV whose header comes twice by a name", "csv", async () => Buffer.from("id,ID\n1,2\n")],
    ["CSV with rows of different lengths", "csv", async () => Buffer.from("id,b\n1,2\n3\n4,5,6\n")],
    [
      "a column without a usable name",
      "parquet",
      async () => readFileSync(await parquet(`SELECT 1 AS "a\u001bb"`)),
    ],
  ] as const)("are refused with a reason: %s", async (_what, kind, bytes) => {
    const path = join(tempDir("bad"), "file");
    writeFileSync(path, await bytes());
    const error: unknown = await validate(path, kind, yaml).catch((caught: unknown) => caught);
    expect(isDomainError(error, "FILE_UNREADABLE") ? error.message : error).toMatch(
      /^The file cannot be read: .{10,}\. Is it/,
    );
    expect(String(error)).not.toContain("trainyard-duckdb");
  });

  it("are told apart from a pattern that RE2 does not know", async () => {
    const path = await parquet("SELECT 'a' AS id");
    const lookahead = `key: id\ncolumns: [{ name: id, type: string, matches: "(?=a)a" }]\n`;
    const error: unknown = await validate(path, "parquet", lookahead).catch((caught: unknown) => caught);
    expect(isDomainError(error, "CONTRACT_INVALID")).toBe(true);
  });
});
