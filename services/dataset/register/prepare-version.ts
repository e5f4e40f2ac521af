import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { BlobStore } from "@trainyard/blob";
import { DomainError } from "@trainyard/domain";
import { crashPoint } from "@trainyard/failpoint";
import { schemaHash } from "../contract/digests.ts";
import { compileRules, isNullable } from "../domain/compile-rules.ts";
import type { Contract } from "../domain/contract.ts";
import type { DatasetVersion, Shard } from "../domain/dataset-version.ts";
import type { FileColumn } from "../domain/rule.ts";
import { asExhaustion } from "../duckdb/duckdb-error.ts";
import { loadSource } from "../duckdb/load-source.ts";
import { type Duckdb, type DuckdbLimits, openDuckdb } from "../duckdb/open-duckdb.ts";
import { runRules } from "../duckdb/run-rules.ts";
import { writeShards } from "../duckdb/write-shards.ts";
import type { HeldBlobs } from "./held-blobs.ts";
import type { Slots } from "./slots.ts";
import type { WorkFolder } from "./work-folder.ts";

/** What preparing needs. */
export interface PrepareDeps {
  readonly blobs: BlobStore;
  readonly workFolder: WorkFolder;
  readonly slots: Slots;
  readonly limits: DuckdbLimits;
}

/** What is to be made a version of. */
export interface Source {
  readonly digest: string;
  readonly format: DatasetVersion["format"];
  readonly contract: Contract;
  readonly held: HeldBlobs;
}

/** What follows from the file and its contract alone. */
export type Prepared = Pick<
  DatasetVersion,
  "rowCount" | "sizeBytes" | "columns" | "schemaHash" | "report" | "splits"
>;

/**
 * Does a registration's long work: fetches the file, validates it and, if it holds its contract, splits and shards it
 * into the blob store. Nothing becomes visible but blobs that nobody refers to yet; doing it again gives the same ones.
 */
export async function prepareVersion(
  deps: PrepareDeps,
  source: Source,
  signal: AbortSignal,
): Promise<Prepared> {
  const sizeBytes = await holdSource(deps.blobs, source);
  try {
    return await deps.slots.run(signal, () =>
      deps.workFolder.use(async (dir) => {
        const path = join(dir, "source");
        await pipeline(
          await deps.blobs.open(source.digest),
          createWriteStream(path, { flags: "wx", mode: 0o600 }),
          { signal },
        );
        const db = await openDuckdb(dir, deps.limits, signal);
        try {
          return { sizeBytes, ...(await examine(deps.blobs, db, dir, path, source)) };
        } finally {
          db.close();
        }
      }),
    );
  } catch (error) {
    signal.throwIfAborted();
    throw asExhaustion(error);
  }
}

/** Pins the file, and only then makes sure that it is there. */
async function holdSource(blobs: BlobStore, { digest, held }: Source): Promise<number> {
  await held.hold(digest);
  const found = await blobs.stat(digest);
  if (found !== undefined) return found.sizeBytes;
  const description = `blob ${digest} is not in the blob store: upload the file first`;
  throw new DomainError("failed_precondition", "BLOB_MISSING", `source_digest: ${description}.`, {
    violations: [{ field: "source_digest", description }],
  });
}

async function examine(
  blobs: BlobStore,
  db: Duckdb,
  dir: string,
  path: string,
  { contract, format, held }: Source,
): Promise<Omit<Prepared, "sizeBytes">> {
  const fileColumns = await loadSource(db, path, format, contract);
  await rm(path);
  const rules = compileRules(contract, fileColumns, format);
  const key = fileColumns.find(({ name }) => name === contract.key);
  const { rowCount, report } = await runRules(db, rules, key);
  crashPoint("dataset.register.validated");
  const columns = fileColumns.map(({ name, type }) => ({
    name,
    type,
    nullable: isNullable(contract, name),
  }));
  const described = { rowCount, report, columns, schemaHash: schemaHash(columns) };
  if (!report.passed) return { ...described, splits: [] };
  return { ...described, splits: await shardsOf(blobs, db, dir, contract, fileColumns, held) };
}

async function shardsOf(
  blobs: BlobStore,
  db: Duckdb,
  dir: string,
  contract: Contract,
  columns: readonly FileColumn[],
  held: HeldBlobs,
): Promise<Prepared["splits"]> {
  const folder = join(dir, "shards");
  await mkdir(folder);
  const shards = new Map<string, Shard[]>(Object.keys(contract.splits).map((name) => [name, []]));
  for await (const { split, rows, path } of writeShards(db, folder, contract, columns)) {
    const stored = await blobs.put(createReadStream(path), { pin: held.workPin });
    await rm(path);
    shards.get(split)?.push({ ...stored, rows });
    crashPoint("dataset.register.sharded");
  }
  return [...shards].map(([name, own]) => ({
    name,
    rows: own.reduce((sum, { rows }) => sum + rows, 0),
    shards: own,
  }));
}
