import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { BlobStore } from "@trainyard/blob";
import { dataset } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { closeAll, tempDir, testLogger, testPlatform } from "@trainyard/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { build, type DatasetApp, parseDatasetConfig } from "./index.ts";
import {
  blobsOf,
  clientAs,
  type DatasetClient,
  duck,
  refusalOf,
  requestOf,
  rowsOf,
  uploadQuery,
} from "./test-service.ts";

const { DatasetState, FileFormat } = dataset;
const workDir = join(tempDir("dataset"), "work");
let app: DatasetApp;
let blobs: BlobStore;
let ada: DatasetClient;
let ben: DatasetClient;

beforeAll(async () => {
  const { platform } = await testPlatform();
  const env = {
    ...platform.serviceEnv("dataset"),
    TRAINYARD_DATASET_WORK_DIR: workDir,
    TRAINYARD_DUCKDB_MEMORY_MB: "128",
  };
  app = await build(parseDatasetConfig(env), { logger: testLogger("dataset") });
  await app.start();
  blobs = blobsOf(platform);
  ada = await clientAs(platform, "ada", "admin");
  ben = await clientAs(platform, "ben", "submitter");
});

afterAll(async () => {
  await app.stop();
  await closeAll();
});

const contract = `
key: id
target: label
columns:
  - { name: id, type: int64, min: 0 }
  - { name: "x_*", type: float, nullable: false, min: 0, max: 16 }
  - { name: label, type: int64, nullable: false, values: [0, 1, 2] }
rules: [{ name: enough, minRows: 10 }]
splits: { train: 0.7, validation: 0.15, test: 0.15 }
stratifyBy: label
seed: 7
`;

const rows = (n: number, more = "") =>
  `SELECT range AS id, (range % 17)::FLOAT AS x_0, 0.5::FLOAT AS x_1, range % 3 AS label FROM range(${n}) ${more}`;

const digestsOf = (version: dataset.DatasetVersion | undefined) =>
  version?.splits.flatMap(({ shards }) => shards.map(({ digest }) => digest)) ?? [];

describe("register", () => {
  it("splits and shards a file that holds its contract, each row once, spread evenly over the labels", async () => {
    const digest = await uploadQuery(blobs, rows(1797));
    const { datasetVersion: version } = await ada.registerDatasetVersion(requestOf("good", digest, contract));
    expect(version).toMatchObject({
      state: DatasetState.READY,
      version: "1.0.0",
      rowCount: 1797n,
      target: "label",
    });
    expect(version?.splits.map(({ name, rowCount }) => [name, rowCount])).toEqual([
      ["train", 1258n],
      ["validation", 269n],
      ["test", 270n],
    ]);
    const all: unknown[] = [];
    for (const { shards } of version?.splits ?? []) {
      const own = (await Promise.all(shards.map((shard) => rowsOf(blobs, shard.digest, "id, label")))).flat();
      const perLabel = [0, 1, 2].map((label) => own.filter(([, value]) => Number(value) === label).length);
      expect(Math.max(...perLabel) - Math.min(...perLabel)).toBeLessThanOrEqual(1);
      all.push(...own.map(([id]) => Number(id)));
    }
    expect(all.length).toBe(1797);
    expect(new Set(all).size).toBe(1797);
    const chunks: Uint8Array[] = [];
    for await (const chunk of await blobs.open(version?.manifestDigest ?? "")) chunks.push(chunk);
    const manifest = JSON.parse(Buffer.concat(chunks).toString());
    expect(manifest).toMatchObject({
      name: "good",
      version: "1.0.0",
      target: "label",
      schemaHash: version?.schemaHash,
    });
    expect(manifest.columns[1]).toEqual({ name: "x_0", type: "FLOAT", nullable: false });
    expect(manifest.splits.train.shards[0]).toEqual({
      digest: version?.splits[0]?.shards[0]?.digest,
      rows: 1258,
      sizeBytes: Number(version?.splits[0]?.shards[0]?.sizeBytes),
    });
    expect(readdirSync(workDir)).toEqual([]);
  });

  it("gives the same shards whatever the order of the file's rows", async () => {
    const one = await uploadQuery(blobs, rows(5000));
    const two = await uploadQuery(blobs, rows(5000, "ORDER BY md5(range::VARCHAR)"));
    expect(one).not.toBe(two);
    const [a, b] = await Promise.all([
      ada.registerDatasetVersion(requestOf("order-a", one, contract)),
      ada.registerDatasetVersion(requestOf("order-b", two, contract)),
    ]);
    expect(digestsOf(a.datasetVersion)).toEqual(digestsOf(b.datasetVersion));
  });

  it("quarantines a file that breaks its contract and says which rules, how many rows, and which", async () => {
    const broken = `SELECT CASE WHEN id IN (100, 101, 102) THEN id - 100 ELSE id END AS id,
      CASE WHEN id BETWEEN 10 AND 14 THEN 255 ELSE x_0 END::FLOAT AS x_0, CASE WHEN id = 20 THEN 'nan'::FLOAT ELSE x_1 END AS x_1,
      CASE WHEN id = 50 THEN NULL ELSE label END AS label FROM (${rows(1000)})`;
    const digest = await uploadQuery(blobs, broken);
    const { datasetVersion: version } = await ada.registerDatasetVersion(
      requestOf("broken", digest, contract),
    );
    expect(version).toMatchObject({ state: DatasetState.QUARANTINED, splits: [], manifestDigest: "" });
    const failed = version?.report?.rules.filter(({ passed }) => !passed);
    expect(failed?.map(({ rule, failedRows, examples }) => [rule, Number(failedRows), examples])).toEqual([
      ["id is unique", 3, ["id=0 rows=2", "id=1 rows=2", "id=2 rows=2"]],
      ["x_0 is between 0 and 16", 5, [10, 11, 12, 13, 14].map((id) => `id=${id} x_0=255.0`)],
      ["x_1 is between 0 and 16", 1, ["id=20 x_1=nan"]],
      ["label is not null", 1, ["id=50 label=NULL"]],
    ]);
    const refusal = await refusalOf(ada.resolveDatasetVersion({ name: "broken", version: "latest" }));
    expect(refusal.reason).toBe("DATASET_QUARANTINED");
    expect(refusal.message).toContain("id is unique");
  });

  it("reports missing, mistyped and unexpected columns", async () => {
    const digest = await uploadQuery(blobs, `SELECT range AS id, 'a' AS label, 1 AS "extra" FROM range(20)`);
    const { datasetVersion } = await ada.registerDatasetVersion(requestOf("shape", digest, contract));
    const failed = datasetVersion?.report?.rules.filter(({ passed }) => !passed).map(({ rule }) => rule);
    expect(failed).toEqual([
      "a column x_* is there",
      "label is int64, found VARCHAR",
      "no columns beside the contract's, found extra",
    ]);
  });

  it("reads CSV by the contract's types, and says which texts are none", async () => {
    const format = FileFormat.CSV;
    const good = await uploadQuery(blobs, rows(100), "csv");
    const { datasetVersion } = await ada.registerDatasetVersion(requestOf("csv", good, contract, { format }));
    expect(datasetVersion?.state).toBe(DatasetState.READY);
    expect(datasetVersion?.columns.map(({ type }) => type)).toEqual(["BIGINT", "DOUBLE", "DOUBLE", "BIGINT"]);
    const bad = await uploadQuery(
      blobs,
      `SELECT id, CASE WHEN id = 7 THEN 'much' ELSE x_0::VARCHAR END AS x_0, x_1, label FROM (${rows(100)})`,
      "csv",
    );
    const answer = await ada.registerDatasetVersion(requestOf("csv-bad", bad, contract, { format }));
    const failed = answer.datasetVersion?.report?.rules.filter(({ passed }) => !passed);
    expect(failed).toMatchObject([{ rule: "x_0 is float", failedRows: 1n, examples: ["id=7 x_0=much"] }]);
  });

  it("refuses a file that is not of its format, with DuckDB's reason and no path of the service", async () => {
    const { digest } = await blobs.put(new TextEncoder().encode("this is no parquet file"));
    const refusal = await refusalOf(ada.registerDatasetVersion(requestOf("text", digest, contract)));
    expect(refusal).toMatchObject({ code: "invalid_argument", reason: "FILE_UNREADABLE" });
    expect(refusal.message).toMatch(/magic bytes/i);
    expect(refusal.message).not.toContain(workDir);
    const { rows: none } = await duck(["SELECT 1"]);
    expect(none.length).toBe(1);
    expect((await refusalOf(ada.getDatasetVersion({ name: "text", version: "latest" }))).reason).toBe(
      "DATASET_NOT_FOUND",
    );
  });

  it("refuses a contract with the line and column of the mistake", async () => {
    const syntax = requestOf("digits", "0".repeat(64), "key: id\ncolumns: [{ name: id, type: int64 }\n");
    expect(await refusalOf(ada.registerDatasetVersion(syntax))).toMatchObject({
      reason: "CONTRACT_INVALID",
      message: expect.stringMatching(/contract\.yaml:\d+:\d+: /),
    });
    const type = requestOf("digits", "0".repeat(64), "key: id\ncolumns:\n  - { name: id, type: int46 }\n");
    expect((await refusalOf(ada.registerDatasetVersion(type))).message).toContain(
      "contract.yaml:3:23: columns.0.type",
    );
  });

  it("refuses a file that was never uploaded", async () => {
    const request = requestOf("absent", "a".repeat(64), contract);
    expect((await refusalOf(ada.registerDatasetVersion(request))).reason).toBe("BLOB_MISSING");
  });

  it("treats names and values of a file as text, whatever they say", async () => {
    const name = `x"; drop table source; --`;
    const quoted = `"${name.replaceAll('"', '""')}"`;
    const digest = await uploadQuery(
      blobs,
      `SELECT 'k''); DROP TABLE typed; --' || range AS id, 'ü‮"; drop' || (range % 2) AS ${quoted}, range % 2 AS "größe 🚂" FROM range(50)`,
    );
    const hostile = `
key: id
columns:
  - { name: id, type: string, matches: "k.*" }
  - { name: ${JSON.stringify(name)}, type: string, values: ["it's", "ü"] }
  - { name: "größe 🚂", type: integer, min: 0, max: 1 }
splits: { train: 1 }
`;
    const { datasetVersion } = await ada.registerDatasetVersion(requestOf("hostile", digest, hostile));
    const failed = datasetVersion?.report?.rules.filter(({ passed }) => !passed);
    expect(failed).toMatchObject([{ column: name, failedRows: 50n }]);
    expect(failed?.[0]?.examples[0]).toContain("\\u{202e}");
    const open = hostile
      .replace(/, values: \[.*\]/, "")
      .replace("splits", `stratifyBy: ${JSON.stringify(name)}\nsplits`);
    const { datasetVersion: ready } = await ada.registerDatasetVersion(requestOf("hostile", digest, open));
    expect(ready).toMatchObject({ state: DatasetState.READY, version: "1.1.0" });
    expect((await rowsOf(blobs, digestsOf(ready)[0] ?? "")).length).toBe(50);
  });

  it("shards 200,000 rows evenly within its memory, and again to the same bytes", async () => {
    const wide = `SELECT range AS id, repeat(md5(range::VARCHAR), 8) AS text, random() AS noise FROM range(200000)`;
    const digest = await uploadQuery(blobs, wide);
    const yaml = `
key: id
columns: [{ name: id, type: int64 }, { name: text, type: string, nullable: false, unique: true }, { name: noise, type: float64 }]
splits: { train: 0.9, test: 0.1 }
`;
    const [a, b] = await Promise.all([
      ada.registerDatasetVersion(requestOf("huge", digest, yaml)),
      ben.registerDatasetVersion(requestOf("huge-too", digest, yaml)),
    ]);
    expect(
      a.datasetVersion?.splits.map(({ shards }) => shards.map(({ rowCount }) => Number(rowCount))),
    ).toEqual([[60000, 60000, 60000], [20000]]);
    expect(digestsOf(a.datasetVersion)).toEqual(digestsOf(b.datasetVersion));
    expect(readdirSync(workDir)).toEqual([]);
  });
});

describe("versions", () => {
  it("derives versions, and gives back the one there is for the same content and contract", async () => {
    const reg = async (query: string, yaml = contract, version = "") => {
      const digest = await uploadQuery(blobs, query);
      return (await ada.registerDatasetVersion(requestOf("derive", digest, yaml, { version })))
        .datasetVersion;
    };
    const first = await reg(rows(100));
    expect(first?.version).toBe("1.0.0");
    expect((await reg(rows(100), `# a comment\n${contract}`))?.id).toBe(first?.id);
    expect((await reg(rows(101)))?.version).toBe("1.1.0");
    const wider = `SELECT *, 1.0::FLOAT AS x_2 FROM (${rows(100)})`;
    expect((await reg(wider))?.version).toBe("2.0.0");
    expect((await reg(rows(102), contract, "2.5.0"))?.version).toBe("2.5.0");
    expect((await reg(rows(102), contract, "2.5.0"))?.version).toBe("2.5.0");
    expect((await refusalOf(reg(rows(103), contract, "2.5.0"))).reason).toBe("VERSION_EXISTS");
    const { datasetVersions } = await ada.listDatasetVersions({ name: "derive" });
    expect(datasetVersions.map(({ version }) => version)).toEqual(["2.5.0", "2.0.0", "1.1.0", "1.0.0"]);
  });

  it("lets one of two users have a version that both register at once", async () => {
    const [one, two] = [await uploadQuery(blobs, rows(60)), await uploadQuery(blobs, rows(61))];
    const outcomes = await Promise.allSettled([
      ada.registerDatasetVersion(requestOf("race", one, contract, { version: "1.0.0" })),
      ben.registerDatasetVersion(requestOf("race", two, contract, { version: "1.0.0" })),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const lost = outcomes.find((outcome) => outcome.status === "rejected");
    expect((await refusalOf(Promise.reject(lost?.reason))).reason).toBe("VERSION_EXISTS");
    const derived = await Promise.all(
      [ada, ben].map((user, i) =>
        user.registerDatasetVersion(requestOf("race-free", i === 0 ? one : two, contract)),
      ),
    );
    expect(derived.map(({ datasetVersion }) => datasetVersion?.version).sort()).toEqual(["1.0.0", "1.1.0"]);
    const same = await Promise.all(
      [ada, ben].map((user) => user.registerDatasetVersion(requestOf("race-same", one, contract))),
    );
    expect(new Set(same.map(({ datasetVersion }) => datasetVersion?.id)).size).toBe(1);
  });

  it("answers a repeated request alike, and refuses its id for another", async () => {
    const digest = await uploadQuery(blobs, rows(70));
    const request = requestOf("again", digest, contract, { requestId: newId("req") });
    const first = await ada.registerDatasetVersion(request);
    await ada.deprecateDatasetVersion({
      requestId: newId("req"),
      name: "again",
      version: "1.0.0",
      reason: "old",
    });
    const second = await ada.registerDatasetVersion(request);
    expect(second).toEqual(first);
    const other = await refusalOf(ada.registerDatasetVersion({ ...request, name: "again-other" }));
    expect(other.reason).toBe("REQUEST_ID_REUSED");
  });

  it("resolves what can be used, and says why the rest cannot", async () => {
    const digest = await uploadQuery(blobs, rows(80));
    const { datasetVersion: first } = await ada.registerDatasetVersion(requestOf("use", digest, contract));
    const narrow = await uploadQuery(blobs, `SELECT * EXCLUDE (x_1) FROM (${rows(80)})`);
    const { datasetVersion: second } = await ada.registerDatasetVersion(requestOf("use", narrow, contract));
    const resolve = (version: string, schemaHash = "") =>
      ada.resolveDatasetVersion({ name: "use", version, schemaHash });
    expect((await resolve("latest")).datasetVersion?.id).toBe(second?.id);
    expect((await resolve("1.0.0", first?.schemaHash)).datasetVersion?.id).toBe(first?.id);
    expect(await refusalOf(resolve("2.0.0", first?.schemaHash))).toMatchObject({
      code: "failed_precondition",
      reason: "SCHEMA_HASH_MISMATCH",
      violations: [{ field: "columns.x_1", description: "expected FLOAT, the column is missing" }],
    });
    expect((await refusalOf(resolve("2.0.0", "f".repeat(64)))).violations[0]?.field).toBe("schema_hash");
    expect((await refusalOf(resolve("9.0.0"))).reason).toBe("DATASET_VERSION_NOT_FOUND");
    const request = { requestId: newId("req"), name: "use", version: "2.0.0", reason: "a pixel is missing" };
    expect((await ada.deprecateDatasetVersion(request)).datasetVersion?.state).toBe(DatasetState.DEPRECATED);
    expect(await refusalOf(resolve("2.0.0"))).toMatchObject({
      reason: "DATASET_DEPRECATED",
      message: expect.stringContaining("a pixel is missing"),
    });
    expect((await resolve("latest")).datasetVersion?.id).toBe(first?.id);
    expect(
      (await ada.getDatasetVersion({ name: "", version: second?.id ?? "" })).datasetVersion?.version,
    ).toBe("2.0.0");
  });

  it("pages through datasets and exports every version", async () => {
    const names: string[] = [];
    let pageToken = "";
    do {
      const answer = await ben.listDatasets({ page: { pageSize: 3, pageToken } });
      names.push(...answer.datasets.map(({ name }) => name));
      pageToken = answer.page?.nextPageToken ?? "";
    } while (pageToken !== "");
    expect(names).toEqual([...new Set(names)].sort());
    const exported: string[] = [];
    for await (const { datasetVersion } of ada.exportDatasetVersions({}))
      exported.push(datasetVersion?.id ?? "");
    expect(exported.length).toBeGreaterThanOrEqual(names.length);
    expect(
      (
        await refusalOf(
          (async () => {
            for await (const _ of ben.exportDatasetVersions({}));
          })(),
        )
      ).reason,
    ).toBe("ROLE_MISSING");
  });
});
