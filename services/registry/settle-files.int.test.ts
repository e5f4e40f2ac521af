import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openBlobStore } from "@trainyard/blob";
import { ensureIndexes, openStore } from "@trainyard/store";
import { atFileEnd, tempDir, testDatabase, testLogger } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { fileHolds } from "./hold-files.ts";
import { registerVersion } from "./register-version.ts";
import { settleFiles } from "./settle-files.ts";
import { indexes } from "./store/documents.ts";
import { ModelRepository } from "./store/model-repository.ts";
import { unsettledFilesIndexes } from "./store/unsettled-files.ts";

const logger = testLogger("registry");
const digest = "ab".repeat(32);
const now = new Date();
const version = {
  project: "default",
  model: "digits",
  version: "",
  origin: {
    runId: "run_1",
    jobId: "job_1",
    datasetVersionId: "",
    codeDigest: "",
    paramsHash: "",
    submittedBy: "user:ada",
  },
  artifactUri: "trainyard:/runs/run_1/models/net",
  files: [{ path: "net.pt", digest, sizeBytes: 1 }],
  digest: "",
  framework: "pytorch",
  metrics: {},
  suite: "",
  notes: "",
  createdBy: "user:ada",
  traceparent: "",
};

let store: Awaited<ReturnType<typeof openStore>>;
let repository: ModelRepository;

beforeAll(async () => {
  store = await openStore({ ...(await testDatabase()), logger });
  atFileEnd(() => store.close());
  await ensureIndexes(store, [...indexes, ...unsettledFilesIndexes]);
  repository = new ModelRepository(store);
});

describe("a version's files", () => {
  it("are held, and given up, as soon as the blob store is there again, though no event says so any more", async () => {
    const root = tempDir("blobs");
    const blobs = openBlobStore(`file://${root}`);
    const parts = { holds: fileHolds(blobs, repository), unsettled: repository.unsettled, logger };
    const pass = () => settleFiles(parts, new Date(Date.now() + 1_000));
    const pins = join(root, "pins");
    /** The folder of pins is none while this acts. */
    const without = async (act: () => Promise<unknown>) => {
      await rename(pins, `${pins}-away`);
      await writeFile(pins, "");
      await act();
      await rename(`${pins}-away`, `${root}/back`);
      await rename(pins, `${root}/file`);
      await rename(`${root}/back`, pins);
    };
    await blobs.pin("cd".repeat(32), { holder: "run:default:other", ttlMs: 60_000 }); // So that there is a folder.
    const registered = await store.transaction("register", (tx) =>
      registerVersion(repository, tx, "mv_1", version, now),
    );
    await without(async () => expect(await pass()).toBe(1));
    expect(await blobs.pins(digest)).toEqual([]);
    expect(await pass()).toBe(0);
    expect(await blobs.pins(digest)).toEqual(["model:default:run_1"]);
    expect(await repository.unsettled.find("mv_1")).toBeUndefined();

    await store.transaction("remove", (tx) => repository.deleteVersion(registered, tx));
    await without(async () => expect(await pass()).toBe(1));
    expect(await pass()).toBe(0);
    expect(await blobs.pins(digest)).toEqual([]);
    expect(await repository.unsettled.find("mv_1")).toBeUndefined();
  });

  it("are looked after again when the version was removed while they were", async () => {
    const blobs = openBlobStore(`file://${tempDir("blobs")}`);
    const of = { ...version, model: "raced", origin: { ...version.origin, runId: "run_2" } };
    const registered = await store.transaction("register", (tx) =>
      registerVersion(repository, tx, "mv_2", of, now),
    );
    const holds = fileHolds(blobs, {
      unsettled: repository.unsettled,
      async versionsOfSource(source) {
        const found = await repository.versionsOfSource(source);
        if (found.length > 0)
          await store.transaction("remove", (tx) => repository.deleteVersion(registered, tx));
        return found;
      },
    });
    await holds.settle(registered);
    expect(await blobs.pins(digest)).toEqual(["model:default:run_2"]);
    await settleFiles({ holds, unsettled: repository.unsettled, logger }, new Date(Date.now() + 1_000));
    expect(await blobs.pins(digest)).toEqual([]);
  });
});
