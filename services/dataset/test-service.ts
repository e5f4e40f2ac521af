import { createReadStream } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { type BlobStore, openBlobStore } from "@trainyard/blob";
import { dataset } from "@trainyard/contracts";
import { isDomainError, newId } from "@trainyard/domain";
import type { Platform } from "@trainyard/local";
import { createSigner, fromConnectError, type Role, rpcClient } from "@trainyard/service";
import { tempDir } from "@trainyard/testing";

/** A client that speaks for a user, as the gateway would after it has checked the user's token. */
export async function clientAs(platform: Platform, name: string, ...roles: Role[]) {
  const signer = await createSigner(platform.serviceEnv("gateway").TRAINYARD_KEY_FILE ?? "");
  const token = () => signer.sign({ kind: "user", name, roles, project: "default" }, 60_000);
  const url = platform.url("dataset");
  return rpcClient(dataset.DatasetService, url, { token, timeoutMs: 60_000 });
}

export type DatasetClient = Awaited<ReturnType<typeof clientAs>>;

/** The platform's blobs, as the gateway would fill them. */
export function blobsOf(platform: Platform): BlobStore {
  return openBlobStore(platform.serviceEnv("dataset").TRAINYARD_BLOB_URL ?? "");
}

/** Runs SQL in a DuckDB of the test's own; `{dir}` stands for a fresh folder. Gives the rows of the last statement. */
export async function duck(
  statements: readonly string[],
): Promise<{ dir: string; rows: readonly unknown[][] }> {
  const dir = tempDir("duck");
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  let rows: readonly unknown[][] = [];
  for (const statement of statements) {
    rows = (await connection.runAndReadAll(statement.replaceAll("{dir}", dir))).getRowsJson();
  }
  connection.closeSync();
  instance.closeSync();
  return { dir, rows };
}

/** Uploads what a query gives as a file; gives its digest. */
export async function uploadQuery(
  blobs: BlobStore,
  query: string,
  format: "parquet" | "csv" = "parquet",
): Promise<string> {
  const { dir } = await duck([`COPY (${query}) TO '{dir}/file' (FORMAT ${format})`]);
  return (await blobs.put(createReadStream(join(dir, "file")))).digest;
}

/** A registration's request, with what a test does not care about filled in. */
export function requestOf(
  name: string,
  sourceDigest: string,
  contractYaml: string,
  more: {
    readonly requestId?: string;
    readonly version?: string;
    readonly format?: dataset.FileFormat;
  } = {},
) {
  const format = more.format ?? dataset.FileFormat.PARQUET;
  return { requestId: newId("req"), name, sourceDigest, contractYaml, ...more, format };
}

/** What a call was refused with. */
export async function refusalOf(call: Promise<unknown>) {
  const error: unknown = await call.then(
    () => undefined,
    (caught: unknown) => fromConnectError(caught),
  );
  if (isDomainError(error)) return error;
  throw new Error("the call was not refused", { cause: error });
}

/** The rows of a shard, as JSON values. */
export async function rowsOf(blobs: BlobStore, digest: string, columns = "*"): Promise<readonly unknown[][]> {
  const dir = tempDir("shard");
  const { createWriteStream } = await import("node:fs");
  const { pipeline } = await import("node:stream/promises");
  const path = join(dir, "shard.parquet");
  await pipeline(await blobs.open(digest), createWriteStream(path));
  return (await duck([`SELECT ${columns} FROM read_parquet('${path}')`])).rows;
}
