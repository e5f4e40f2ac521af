import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { dataset } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { collectPages } from "../client/collect-pages.ts";
import { retryUnavailable } from "../client/retry.ts";
import { uploadBlob } from "../client/upload-blob.ts";
import { exitCodes } from "../exit-codes.ts";
import { word } from "../follow/words.ts";
import { hashFile } from "../pack/hash-file.ts";
import type { Session } from "../session.ts";
import { formatBytes } from "../terminal/bytes.ts";
import { progressBar } from "../terminal/progress-bar.ts";
import { style } from "../terminal/style.ts";
import type { Column } from "../terminal/table.ts";
import { datasetText, paintDatasetState } from "./dataset-text.ts";
import { namedVersion } from "./named-version.ts";

/** Validation reads the whole file: it may take longer than other calls. */
const registerTimeoutMs = 10 * 60_000;

/** The options of `datasets register`. */
export interface RegisterFlags {
  readonly contract: string;
  readonly version?: string;
  readonly description?: string;
}

/** Registers a file as a version; 1 when it broke its contract. */
export async function registerDataset(
  session: Session,
  name: string,
  file: string,
  flags: RegisterFlags,
): Promise<number> {
  const format = formatOf(file);
  const contractYaml = await readText(flags.contract);
  const { digest, sizeBytes } = await hashFile(file).catch((cause: unknown) => {
    throw unreadable(file, cause);
  });
  const bar = progressBar(`uploading ${file}`, sizeBytes);
  await uploadBlob(session.address, { digest, sizeBytes, content: { file } }, bar.update).finally(bar.end);
  const { dataset: client } = await session.clients();
  const request = {
    requestId: randomUUID(),
    name,
    version: flags.version ?? "",
    sourceDigest: digest,
    format,
    contractYaml,
    description: flags.description ?? "",
  };
  const { datasetVersion } = await retryUnavailable(() =>
    client.registerDatasetVersion(request, { timeoutMs: registerTimeoutMs }),
  );
  if (datasetVersion === undefined) throw new Error("the dataset service answered without a version");
  if (session.json) session.printMessage(dataset.DatasetVersionSchema, datasetVersion);
  else session.print(datasetText(session, datasetVersion));
  return datasetVersion.state === dataset.DatasetState.QUARANTINED ? exitCodes.failed : exitCodes.ok;
}

/** Lists the datasets. */
export async function listDatasets(session: Session, flags: { readonly limit: number }): Promise<void> {
  const { dataset: client } = await session.clients();
  const { items } = await collectPages(flags.limit, async (page) => {
    const response = await client.listDatasets({ page });
    return { items: response.datasets, next: response.page?.nextPageToken ?? "" };
  });
  if (session.json) {
    session.printMessage(dataset.ListDatasetsResponseSchema, {
      $typeName: "trainyard.dataset.v1.ListDatasetsResponse",
      datasets: items,
    });
    return;
  }
  const columns: Column<dataset.Dataset>[] = [
    { title: "dataset", cell: ({ name }) => name },
    { title: "latest", cell: ({ latest }) => latest?.version ?? "none usable" },
    { title: "rows", cell: ({ latest }) => String(latest?.rowCount ?? "") },
    { title: "versions", cell: ({ versionCount }) => String(versionCount) },
    { title: "registered", cell: ({ latest }) => session.time(latest?.createdAt) },
  ];
  session.printTable(columns, items, "No datasets. Register one with `npx trainyard datasets register`.");
}

/** Lists a dataset's versions. */
export async function listDatasetVersions(
  session: Session,
  name: string,
  flags: { readonly limit: number },
): Promise<void> {
  const { dataset: client } = await session.clients();
  const { items } = await collectPages(flags.limit, async (page) => {
    const response = await client.listDatasetVersions({ name, page });
    return { items: response.datasetVersions, next: response.page?.nextPageToken ?? "" };
  });
  if (session.json) {
    session.printMessage(dataset.ListDatasetVersionsResponseSchema, {
      $typeName: "trainyard.dataset.v1.ListDatasetVersionsResponse",
      datasetVersions: items,
    });
    return;
  }
  const columns: Column<dataset.DatasetVersion>[] = [
    { title: "version", cell: ({ version }) => version },
    {
      title: "state",
      cell: ({ state }) => word(dataset.DatasetState, state),
      paint: (text, { state }) => paintDatasetState(text, state),
    },
    { title: "rows", cell: ({ rowCount }) => String(rowCount) },
    { title: "size", cell: ({ sizeBytes }) => formatBytes(sizeBytes) },
    { title: "schema", cell: ({ schemaHash }) => schemaHash.slice(0, 12) },
    { title: "by", cell: ({ createdBy }) => createdBy },
    { title: "registered", cell: ({ createdAt }) => session.time(createdAt) },
  ];
  session.printTable(columns, items, `No versions of ${name}.`);
}

/** Shows one version. */
export async function showDataset(session: Session, text: string): Promise<void> {
  const { dataset: client } = await session.clients();
  const { datasetVersion } = await client.getDatasetVersion(namedVersion(text, "latest"));
  if (datasetVersion === undefined) throw new Error("the dataset service answered without a version");
  if (session.json) session.printMessage(dataset.DatasetVersionSchema, datasetVersion);
  else session.print(datasetText(session, datasetVersion));
}

/** The options of `datasets deprecate`. */
export interface DeprecateFlags {
  readonly reason: string;
}

/** Takes a version out of use. */
export async function deprecateDataset(session: Session, text: string, flags: DeprecateFlags): Promise<void> {
  const { dataset: client } = await session.clients();
  const request = { requestId: randomUUID(), ...namedVersion(text), reason: flags.reason };
  const { datasetVersion } = await retryUnavailable(() => client.deprecateDatasetVersion(request));
  if (datasetVersion === undefined) throw new Error("the dataset service answered without a version");
  if (session.json) session.printMessage(dataset.DatasetVersionSchema, datasetVersion);
  else session.print(`${datasetVersion.name}@${datasetVersion.version} is ${style.warn("deprecated")}`);
}

function formatOf(file: string): dataset.FileFormat {
  const extension = extname(file).toLowerCase();
  if (extension === ".parquet" || extension === ".pq") return dataset.FileFormat.PARQUET;
  if (extension === ".csv") return dataset.FileFormat.CSV;
  throw new DomainError(
    "invalid_argument",
    "FILE_FORMAT_UNKNOWN",
    `${file}: expected a file that ends in .parquet or .csv`,
  );
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

function unreadable(file: string, cause: unknown): DomainError {
  const why =
    cause instanceof Error && "code" in cause && cause.code === "ENOENT" ? "is not there" : "cannot be read";
  return new DomainError("not_found", "FILE_NOT_FOUND", `${file} ${why}`, { cause });
}
