import { execFile } from "node:child_process";
import { createReadStream, mkdirSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { connectBus } from "@trainyard/bus";
import { dataset, eventStreamName } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { checkoutRoot, findPython, type Platform } from "@trainyard/local";
import { spawnService, tempDir, testLogger, testPlatform, waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { blobsOf, clientAs, refusalOf, requestOf, uploadQuery } from "./test-service.ts";

const workDir = join(tempDir("dataset"), "work");
const own = { TRAINYARD_DATASET_WORK_DIR: workDir };
let platform: Platform;

beforeAll(async () => {
  ({ platform } = await testPlatform());
});

const contract = `
key: id
columns: [{ name: id, type: int64 }]
splits: { train: 0.5, test: 0.5 }
`;

/** Subjects of the events that the dataset service has published about a version. */
async function eventsOf(id: string): Promise<number> {
  const seed = await readFile(platform.seedFile("admin"), "utf8");
  const bus = await connectBus({ servers: platform.natsUrl, name: "test", seed, logger: testLogger() });
  try {
    const subjects = { subjects_filter: `trainyard.*.dataset.>` };
    const { state } = await bus.jsm.streams.info(eventStreamName("dataset"), subjects);
    const own = Object.entries(state.subjects ?? {}).filter(([subject]) => subject.endsWith(`.${id}`));
    return own.reduce((sum, [, count]) => sum + count, 0);
  } finally {
    await bus.close();
  }
}

describe("a dataset service that dies", () => {
  it.each([
    ["after validation", "dataset.register.validated", false],
    ["between two shards", "dataset.register.sharded", false],
    ["after the commit, before its answer and event", "dataset.register.committed", true],
  ])(
    "%s leaves all or nothing, and the repeated request gives the one version",
    async (_when, point, visible) => {
      const name = point.replaceAll(".", "-");
      const digest = await uploadQuery(blobsOf(platform), "SELECT range AS id FROM range(100)");
      const request = requestOf(name, digest, contract, { requestId: newId("req") });
      const doomed = await spawnService(platform, "dataset", { ...own, TRAINYARD_CRASH_AT: point });
      await expect(
        (await clientAs(platform, "ada", "submitter")).registerDatasetVersion(request),
      ).rejects.toThrow();
      expect(await doomed.exited).toBe("SIGKILL");
      if (!visible) expect(readdirSync(workDir).length).toBe(1);

      const service = await spawnService(platform, "dataset", own);
      expect(readdirSync(workDir)).toEqual([]);
      const ada = await clientAs(platform, "ada", "submitter");
      if (visible) expect((await ada.listDatasetVersions({ name })).datasetVersions.length).toBe(1);
      else expect((await refusalOf(ada.listDatasetVersions({ name }))).reason).toBe("DATASET_NOT_FOUND");
      const { datasetVersion } = await ada.registerDatasetVersion(request);
      expect(datasetVersion).toMatchObject({ state: dataset.DatasetState.READY, version: "1.0.0" });
      expect((await ada.listDatasetVersions({ name })).datasetVersions.length).toBe(1);
      await waitFor("the version's event", async () => (await eventsOf(datasetVersion?.id ?? "")) === 1);
      expect(await service.kill("SIGTERM")).toBe(0);
    },
  );
});

describe("the digits example", () => {
  it("is accepted as it is, and refused with --broken for its three mistakes", async () => {
    const dir = tempDir("digits");
    mkdirSync(dir, { recursive: true });
    const example = join(checkoutRoot, "examples/digits");
    const yaml = await readFile(join(example, "contract.yaml"), "utf8");
    const service = await spawnService(platform, "dataset", own);
    const ada = await clientAs(platform, "ada", "submitter");
    const register = async (...args: string[]) => {
      const path = join(dir, "digits.parquet");
      await promisify(execFile)(findPython(), [join(example, "make_data.py"), "--out", path, ...args]);
      const { digest } = await blobsOf(platform).put(createReadStream(path));
      return (await ada.registerDatasetVersion(requestOf("digits", digest, yaml))).datasetVersion;
    };
    const good = await register();
    expect(good).toMatchObject({ state: dataset.DatasetState.READY, rowCount: 1797n, target: "label" });
    const broken = await register("--broken");
    expect(broken).toMatchObject({ state: dataset.DatasetState.QUARANTINED, version: "1.1.0" });
    const failed = broken?.report?.rules.filter(({ passed }) => !passed);
    expect(failed?.map(({ rule, failedRows }) => [rule, Number(failedRows)])).toEqual([
      ["id is unique", 3],
      ["pixel_20 is between 0 and 16", 5],
      ["label is not null", 1],
    ]);
    expect(await service.kill("SIGTERM")).toBe(0);
  });
});
