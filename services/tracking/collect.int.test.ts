import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { registry, tracking } from "@trainyard/contracts";
import { fromConnectError, rpcClient } from "@trainyard/service";
import { freePort, spawnScript, tempDir, testSigner, waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import {
  aMetricBatch,
  project,
  publishMetrics,
  publishVersion,
  startTracking,
  type TestTracking,
} from "./test-service.ts";

let service: TestTracking;
let admin: Awaited<ReturnType<typeof adminAt>>;
let requests = 0;
const requestId = () => `request-${++requests}`;
const DAY_MS = 24 * 60 * 60_000;
const at = (daysAgo: number) => new Date(Date.now() - daysAgo * DAY_MS);

beforeAll(async () => {
  service = await startTracking();
  admin = await adminAt(service.app.server.url);
});

async function adminAt(url: string) {
  const gateway = await testSigner("gateway");
  const options = {
    timeoutMs: 60_000,
    token: () => gateway.sign({ name: "root", kind: "user", roles: ["admin"] } as const, 60_000),
  };
  return {
    artifacts: rpcClient(tracking.ArtifactService, url, options),
    runs: rpcClient(tracking.RunService, url, options),
  };
}

/** A run of an outside client with one artifact of its own content. */
async function aRun(name: string) {
  const { run } = await admin.runs.createRun({ requestId: requestId(), experiment: "e", name });
  const runId = run?.id ?? "";
  const { digest, sizeBytes } = await service.blobs.put(Buffer.from(`of ${runId}`));
  const file = { path: "a.txt", digest, sizeBytes: BigInt(sizeBytes) };
  await admin.artifacts.putArtifact({ requestId: requestId(), runId, ...file });
  return { runId, digest };
}

const runs = () => service.store.collection<{ _id: string }>("runs");
const deletedAgo = (runId: string, daysAgo: number) =>
  runs().updateOne(
    { _id: runId },
    { $set: { lifecycle: "deleted", lifecycleChangedAt: at(daysAgo), status: "completed", endedAt: at(99) } },
  );

async function runVersions(): Promise<string[]> {
  const found = await service.store.db.collection("run_versions").find().toArray();
  return found.map(({ runId, stage }) => `${runId} ${stage}`).toSorted();
}

async function collect(options: { dryRun?: boolean; policy?: Record<string, number> } = {}, from = admin) {
  const { artifacts } = from;
  const { dryRun = false, policy = {} } = options;
  const things: string[] = [];
  const reasons: string[] = [];
  let summary: tracking.GarbageSummary | undefined;
  for await (const thing of artifacts.collectGarbage({
    dryRun,
    policy: { blobGraceMinutes: 0, ...policy },
  })) {
    if (thing.summary !== undefined) summary = thing.summary;
    else {
      things.push(`${tracking.GarbageKind[thing.kind]} ${thing.id}`);
      reasons.push(thing.why);
    }
  }
  return { things, reasons, summary };
}

/** Everything in the database that still names the run. */
async function traces(runId: string): Promise<string[]> {
  const found: string[] = [];
  const platform = ["outbox", "inbox", "requests"];
  for (const { name } of await service.store.db.listCollections().toArray()) {
    if (platform.includes(name)) continue;
    for await (const document of service.store.db.collection(name).find()) {
      if (JSON.stringify(document).includes(runId)) found.push(name);
    }
  }
  return found;
}

describe("a collection", () => {
  it("frees what nobody holds, and a dry run only tells it", async () => {
    const { digest: held } = await aRun("holds");
    const { digest } = await service.blobs.put(Buffer.from("nobody's"));
    const dry = await collect({ dryRun: true });
    expect(dry.things).toEqual([`BLOB ${digest}`]);
    expect(dry.summary).toMatchObject({ blobsFreed: 1n, bytesFreed: 8n });
    expect(await service.blobs.stat(digest)).toBeDefined();
    expect((await collect({ policy: { blobGraceMinutes: 60 } })).things).toEqual([]);
    expect((await collect()).things).toEqual([`BLOB ${digest}`]);
    expect(await service.blobs.stat(digest)).toBeUndefined();
    expect(await service.blobs.stat(held)).toBeDefined();
  });

  it("ends a run that was deleted long ago with all that it has recorded, and frees its bytes", async () => {
    const [old, young] = [await aRun("old"), await aRun("young")];
    const batch = aMetricBatch({ runId: old.runId, attempt: 0 }, [1, 10]);
    await publishMetrics(service.bus, batch);
    await deletedAgo(old.runId, 31);
    await deletedAgo(young.runId, 29);
    const { things, summary } = await collect();
    expect(things).toEqual([`RUN ${old.runId}`, `BLOB ${old.digest}`]);
    expect(summary).toMatchObject({ runsPurged: 1n });
    expect(await traces(old.runId)).toEqual([]);
    expect(await service.blobs.stat(young.digest)).toBeDefined();
  });

  it("takes artifacts of runs whose time is over, but not of the newest, the tagged, or a model's", async () => {
    const [old, tagged, model, newest] = [
      await aRun("plain"),
      await aRun("tagged"),
      await aRun("model"),
      await aRun("newest"),
    ];
    for (const { runId } of [old, tagged, model, newest]) {
      await runs().updateOne({ _id: runId }, { $set: { status: "completed", endedAt: at(10) } });
    }
    const keep = { tags: [{ key: "trainyard.keep", value: "" }] };
    await runs().updateOne({ _id: tagged.runId }, { $set: keep });
    await service.blobs.pin(model.digest, { holder: `model:${project}:${model.runId}`, ttlMs: DAY_MS });
    const policy = { artifactDays: 9, keepNewestRuns: 1 };
    expect((await collect({ dryRun: true, policy })).things).toEqual([`ARTIFACTS ${old.runId}`]);
    expect((await collect({ policy })).things).toEqual([`ARTIFACTS ${old.runId}`, `BLOB ${old.digest}`]);
    expect((await admin.artifacts.listArtifactTree({ runId: old.runId })).entries).toEqual([]);
  });

  it("takes artifacts of runs by the stage of the model versions made of them", async () => {
    const run = async (name: string) => {
      const made = await aRun(name);
      await runs().updateOne({ _id: made.runId }, { $set: { status: "completed", endedAt: at(20) } });
      return made;
    };
    const [used, archived, fresh, gone] = [
      await run("in use"),
      await run("archived"),
      await run("archived lately"),
      await run("version deleted"),
    ];
    const { CANARY, ARCHIVED, STAGING } = registry.Stage;
    const { ModelVersionCreatedSchema, ModelVersionStageChangedSchema, ModelVersionDeletedSchema } = registry;
    const tell = async (
      schema: Parameters<typeof publishVersion>[1],
      { runId }: { runId: string },
      stage: registry.Stage,
      daysAgo: number,
      aggregateVersion = schema === ModelVersionCreatedSchema ? 1n : 2n,
    ) => {
      const version = { id: `mv_${runId}`, runId, stage, aggregateVersion };
      await publishVersion(service.bus, schema, version, at(daysAgo));
    };
    // Of no stage that there is: it goes to the dead letters and keeps no other back.
    await tell(ModelVersionCreatedSchema, { runId: "run_poison" }, registry.Stage.UNSPECIFIED, 19);
    await tell(ModelVersionCreatedSchema, used, STAGING, 19);
    await tell(ModelVersionCreatedSchema, { runId: "" }, STAGING, 19);
    await tell(ModelVersionStageChangedSchema, used, CANARY, 18);
    // The newer state comes first.
    await tell(ModelVersionStageChangedSchema, archived, ARCHIVED, 11);
    await tell(ModelVersionCreatedSchema, archived, STAGING, 19);
    await tell(ModelVersionStageChangedSchema, fresh, ARCHIVED, 5);
    await tell(ModelVersionDeletedSchema, gone, STAGING, 1);
    await waitFor("every event to be taken", async () => {
      const inbox = service.store.db.collection<{ _id: string }>("inbox");
      return (await inbox.countDocuments({ _id: /^tracking-models\// })) === 7;
    });
    expect(await runVersions()).toEqual(
      [
        `${archived.runId} archived`,
        `${fresh.runId} archived`,
        `${gone.runId} deleted`,
        `${used.runId} canary`,
      ].toSorted(),
    );
    // The registry holds the files of a version that it has; it has told its stage, so that is what counts.
    await service.blobs.pin(archived.digest, {
      holder: `model:${project}:${archived.runId}`,
      ttlMs: DAY_MS,
    });
    const policy = { artifactDays: 15, archivedVersionDays: 10 };
    const { things, reasons } = await collect({ dryRun: true, policy });
    expect(things.toSorted()).toEqual([`ARTIFACTS ${archived.runId}`, `ARTIFACTS ${gone.runId}`].toSorted());
    expect(reasons.toSorted()).toEqual([
      "the run ended 20 days ago, and 15 are kept; digits 1.0.0 was archived 11 days ago, and holds it for 10",
      "the run ended 20 days ago, and 15 are kept; digits 1.0.0 was deleted 1 days ago",
    ]);
    expect((await collect({ dryRun: true, policy: { artifactDays: 15 } })).things).toEqual([
      `ARTIFACTS ${gone.runId}`,
    ]);
    // Who deletes a run whose version is in use can have it back for as long as that is.
    await deletedAgo(used.runId, 31);
    expect((await collect({ dryRun: true })).things).toEqual([]);
    await tell(ModelVersionStageChangedSchema, used, ARCHIVED, 0, 3n);
    await waitFor("the event to be taken", async () =>
      (await runVersions()).includes(`${used.runId} archived`),
    );
    expect((await collect({ dryRun: true })).things).toEqual([`RUN ${used.runId}`]);
    // What the version itself consists of stays in the blob store.
    const freed = await collect({ policy });
    expect(freed.things).toContain(`BLOB ${gone.digest}`);
    expect(await service.blobs.stat(archived.digest)).toBeDefined();
  });

  it("takes off old pins of runs that are gone, and no young ones", async () => {
    const { digest } = await service.blobs.put(Buffer.from("of a job that was never accepted"));
    await service.blobs.pin(digest, { holder: `job:${project}:run_never`, ttlMs: DAY_MS });
    expect((await collect()).things).toEqual([]);
    const folder = join(fileURLToPath(service.config.blobUrl), "pins", digest);
    for (const name of readdirSync(folder)) utimesSync(join(folder, name), at(2), at(2));
    expect((await collect()).things).toEqual([`PIN ${digest}`, `BLOB ${digest}`]);
  });

  it("takes nothing from a writer that commits meanwhile", async () => {
    const { runId } = await aRun("busy");
    const { artifacts } = admin;
    let collecting = true;
    const collections = (async () => {
      while (collecting) await collect();
    })();
    for (let i = 0; i < 30; i++) {
      const content = Buffer.from(`content ${i % 3} of ${runId}`);
      const sizeBytes = BigInt(content.length);
      // As an outside client does it: store, then refer; what was collected in between is stored again.
      for (let stored = false; !stored; ) {
        const pin = { holder: "upload:default:root", ttlMs: DAY_MS };
        const { digest } = await service.blobs.put(content, { pin });
        await artifacts.putArtifact({ requestId: requestId(), runId, path: "x", digest, sizeBytes });
        await service.blobs.unpin(digest, pin.holder);
        stored = true;
        expect(await service.blobs.stat(digest)).toBeDefined();
      }
    }
    collecting = false;
    await collections;
  });

  it("is for admins", async () => {
    const gateway = await testSigner("gateway");
    const as = (role: "admin" | "approver") =>
      rpcClient(tracking.ArtifactService, service.app.server.url, {
        token: () => gateway.sign({ name: "a", kind: "user", roles: [role], project } as const, 60_000),
      });
    const collected = async (role: "admin" | "approver") => {
      for await (const { summary } of as(role).collectGarbage({ dryRun: true })) {
        if (summary !== undefined) return "done";
      }
      return "no summary";
    };
    const error: unknown = await collected("approver").catch((caught: unknown) => caught);
    expect(fromConnectError(error).reason).toBe("ROLE_MISSING");
    expect(await collected("admin")).toBe("done");
  });
});

describe("a collection that dies", () => {
  it.each(["tracking.purge.taken", "tracking.purge.unpinned", "blob.delete.marked", "blob.delete.deleted"])(
    "at %s is ended by the next one",
    async (point) => {
      const { runId, digest } = await aRun(point);
      await deletedAgo(runId, 31);
      const port = await freePort();
      const child = await spawnScript("tracking", {
        script: "services/tracking/main.ts",
        env: {
          ...service.env,
          TRAINYARD_LISTEN_PORT: String(port),
          TRAINYARD_CRASH_AT: point,
          TRAINYARD_CRASH_ONCE_DIR: tempDir("once"),
        },
        readyUrl: `http://127.0.0.1:${port}/readyz`,
      });
      await collect({}, await adminAt(`http://127.0.0.1:${port}`)).catch(() => undefined);
      expect(await child.exited).toBe("SIGKILL");
      await collect();
      expect(await traces(runId)).toEqual([]);
      expect(await service.blobs.stat(digest)).toBeUndefined();
    },
  );
});

describe("a run that is being deleted for good", () => {
  it("is either restored with everything or gone with everything", async () => {
    const { runId, digest } = await aRun("restored");
    await deletedAgo(runId, 31);
    const restoring = admin.runs.restoreRun({ requestId: requestId(), runId }).then(
      () => true,
      () => false,
    );
    await collect();
    const isRestored = await restoring;
    expect((await service.blobs.stat(digest)) !== undefined).toBe(isRestored);
    expect((await traces(runId)).length > 0).toBe(isRestored);
  });
});
