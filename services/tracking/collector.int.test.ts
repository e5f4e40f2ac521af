import { openBlobStore } from "@trainyard/blob";
import { freePort, spawnScript, tempDir, waitFor } from "@trainyard/testing";
import { beforeAll, beforeEach, expect, it } from "vitest";
import { type CollectorTimes, collector } from "./collector.ts";
import type { Deps } from "./deps.ts";
import { testDeps } from "./test-deps.ts";
import { startTracking, type TestTracking } from "./test-service.ts";

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;
/** Long enough for a busy machine: a replica that is too slow to keep its lease does not end what it collects. */
const schedule = { everyMs: DAY_MS, retryMs: HOUR_MS, lookEveryMs: 5, leaseTtlMs: 30_000 };

let service: TestTracking;
let deps: Deps;
let nowMs: number;

beforeAll(async () => {
  service = await startTracking({ start: false });
  const { store, config } = service;
  deps = await testDeps({ store, blobs: openBlobStore(config.blobUrl), now: () => new Date(nowMs) });
});

beforeEach(async () => {
  nowMs = Date.now();
  await marks().deleteMany({});
  await runs().deleteMany({});
});

const marks = () =>
  service.store.collection<{ _id: string; count: number; beganAt: Date; endedAt: Date }>(
    "garbage_collections",
  );
const collections = async () => (await marks().findOne({}))?.count;
const runs = () => service.store.collection<{ _id: string }>("runs");
let runNumber = 0;

/** Runs that were deleted so long ago that the next collection takes them. */
async function deletedRuns(count: number): Promise<void> {
  const lifecycleChangedAt = new Date(nowMs - 31 * DAY_MS);
  const run = () => ({
    _id: `run_${runNumber++}`,
    project: "default",
    lifecycle: "deleted",
    lifecycleChangedAt,
  });
  await runs().insertMany(Array.from({ length: count }, run));
}

async function running<T>(
  replicas: number,
  use: (parts: ReturnType<typeof collector>[]) => Promise<T>,
  times: CollectorTimes = schedule,
) {
  const parts = Array.from({ length: replicas }, () => collector(deps, times));
  try {
    for (const part of parts) await part.start();
    return await use(parts);
  } finally {
    for (const part of parts) await part.stop(AbortSignal.timeout(10_000));
  }
}

it("a collection comes on schedule, in one replica, and in the next one when that goes", async () => {
  await running(2, async (replicas) => {
    await waitFor("the mark of the platform's beginning", async () => (await collections()) === 0);
    for (const day of [1, 2, 3]) {
      if (day === 3) await replicas[0]?.stop(AbortSignal.timeout(10_000));
      nowMs += DAY_MS - 1_000;
      await deletedRuns(5);
      // Nobody has collected since, neither too early nor a second time.
      expect([await collections(), await runs().countDocuments()]).toEqual([day - 1, 5]);
      nowMs += 1_000;
      await waitFor("the collection", async () => (await collections()) === day);
      expect(await runs().countDocuments()).toBe(0);
    }
  });
});

it("a collection that is stopped stops at once, and is ended soon after by the next one", async () => {
  await deletedRuns(40);
  await marks().insertOne({ _id: "garbage", count: 0, beganAt: new Date(0), endedAt: new Date(0) });
  await running(1, async ([one]) => {
    const isBegun = async () => (await runs().countDocuments()) < 40;
    await waitFor("the first run to go", isBegun, { intervalMs: 2 });
    await one?.stop(AbortSignal.timeout(10_000));
    expect(await runs().countDocuments()).toBeGreaterThan(0);
    // It is known to have begun, so that the next one waits for a while.
    expect(await marks().findOne()).toMatchObject({
      count: 0,
      beganAt: new Date(nowMs),
      endedAt: new Date(0),
    });
  });
  nowMs += HOUR_MS;
  await running(1, async () => {
    await waitFor("the rest to go", async () => (await collections()) === 1);
    expect(await runs().countDocuments()).toBe(0);
  });
});

it("a replica that dies in a collection, as its process makes it by default, has it done by another", async () => {
  await deletedRuns(1);
  await marks().insertOne({ _id: "garbage", count: 0, beganAt: new Date(0), endedAt: new Date(0) });
  const port = await freePort();
  const child = await spawnScript("tracking", {
    script: "services/tracking/main.ts",
    env: {
      ...service.env,
      TRAINYARD_LISTEN_PORT: String(port),
      TRAINYARD_CRASH_AT: "tracking.collection.began",
      TRAINYARD_CRASH_ONCE_DIR: tempDir("once"),
    },
    readyUrl: `http://127.0.0.1:${port}/readyz`,
    mayDie: true,
  });
  expect(await child.exited).toBe("SIGKILL");
  expect([await runs().countDocuments(), await collections()]).toEqual([1, 0]);
  nowMs = Date.now() + HOUR_MS;
  const collected = async () => {
    await waitFor("the collection", async () => (await collections()) === 1);
    expect(await runs().countDocuments()).toBe(0);
  };
  // The dead one holds the lease until its time is over.
  await running(1, collected, { ...schedule, retryMs: 0, leaseTtlMs: 1_000 });
});
