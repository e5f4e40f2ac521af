import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Bus } from "@trainyard/bus";
import { decodeCloudEvent, scheduler } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import {
  type TestDatabase,
  type TestNats,
  testBus,
  testDatabase,
  testLogger,
  testNats,
  waitFor,
} from "@trainyard/testing";
import { beforeAll, beforeEach, expect, it, onTestFinished } from "vitest";
import { openStore } from "./open-store.ts";
import { outboxRelay } from "./outbox-relay.ts";
import { collections, type OutboxRow } from "./schema.ts";
import type { Store } from "./store.ts";
import { childEnvironment, emitAttemptEnded, emitJobEnded, emitJoined, emitLost } from "./test-events.ts";

const logger = testLogger();
const STREAM = "EVENTS_SCHEDULER";

let nats: TestNats;
let database: TestDatabase;
let store: Store;
let bus: Bus;
beforeAll(async () => {
  nats = await testNats();
  bus = await testBus();
});
beforeEach(async () => {
  database = await testDatabase();
  store = await openStore({ ...database, logger });
  onTestFinished(() => store.close());
  await bus.jsm.streams.delete(STREAM).catch(() => undefined);
});

async function relay(): Promise<{ stop(): Promise<void> }> {
  const part = outboxRelay({ store, bus, service: "scheduler", logger });
  await part.start();
  const stop = () => part.stop(AbortSignal.timeout(5_000));
  onTestFinished(stop);
  return { stop };
}

const rows = () => store.collection<OutboxRow>(collections.outbox);
const allPublished = () =>
  waitFor("every row published", async () => (await rows().countDocuments({ state: "unpublished" })) === 0);

/** Everything in the stream, in its order. */
async function inStream(): Promise<{ id: string | undefined; subject: string; version: number }[]> {
  const { state } = await bus.jsm.streams.info(STREAM);
  const found = [];
  for (let seq = Math.max(1, state.first_seq); seq <= state.last_seq; seq++) {
    const message = await bus.jsm.streams.getMessage(STREAM, { seq });
    if (message === null) continue;
    const version = message.json<{ aggregateversion: number }>().aggregateversion;
    found.push({ id: message.header?.get("Nats-Msg-Id"), subject: message.subject, version });
  }
  return found;
}

it("publishes a committed event as a CloudEvent, with its id and trace in the headers, and records where", async () => {
  await relay();
  const node = newId("node");
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const id = await store.transaction("join", (tx) =>
    tx.emit({
      schema: scheduler.NodeJoinedSchema,
      project: "default",
      id: node,
      aggregateVersion: 1,
      actor: "ann",
      data: { $typeName: "trainyard.scheduler.v1.NodeJoined", nodeId: node, slots: 4 },
      traceparent,
    }),
  );
  await allPublished();
  const message = await bus.jsm.streams.getMessage(STREAM, { seq: 1 });
  if (message === null) throw new Error("nothing in the stream");
  expect(message.subject).toBe(`trainyard.default.scheduler.node.joined.v1.${node}`);
  expect(message.header?.get("Nats-Msg-Id")).toBe(id);
  expect(message.header?.get("traceparent")).toBe(traceparent);
  expect(decodeCloudEvent(scheduler.NodeJoinedSchema, message.data)).toMatchObject({
    id,
    actor: "ann",
    subject: node,
    aggregateversion: 1,
    traceparent,
    data: { nodeId: node, slots: 4 },
  });
  expect(await rows().findOne({ _id: id })).toMatchObject({ state: "published", streamSequence: 1 });
});

it("publishes nothing of a transaction that failed", async () => {
  await relay();
  const failing = store.transaction("join", async (tx) => {
    await emitJoined(tx, newId("node"), 1);
    throw new RangeError("no");
  });
  await expect(failing).rejects.toThrow(RangeError);
  const kept = await store.transaction("join", (tx) => emitJoined(tx, newId("node"), 1));
  await allPublished();
  expect((await inStream()).map(({ id }) => id)).toEqual([kept]);
});

it("keeps each aggregate's order over its subjects, once each, with two relays at work", async () => {
  await Promise.all([relay(), relay()]);
  const nodes = Array.from({ length: 20 }, () => newId("node"));
  const versions = 8;
  await Promise.all(
    nodes.map(async (node) => {
      for (let version = 1; version <= versions; version += 2) {
        await store.transaction("join", async (tx) => {
          await emitJoined(tx, node, version);
          await emitLost(tx, node, version + 1);
        });
      }
    }),
  );
  await allPublished();
  const stream = await inStream();
  expect(stream).toHaveLength(nodes.length * versions);
  expect(new Set(stream.map(({ id }) => id)).size).toBe(stream.length);
  for (const node of nodes) {
    const order = stream.filter(({ subject }) => subject.endsWith(node)).map(({ version }) => version);
    expect(order).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  }
});

it("keeps an aggregate's order over its entities: attempts end before their job does", async () => {
  const jobs = Array.from({ length: 40 }, () => newId("job"));
  await Promise.all(
    jobs.map((job) =>
      // The versions count, and not the order in which rows were written.
      store.transaction("end", async (tx) => {
        await emitJobEnded(tx, job, 2);
        await emitAttemptEnded(tx, job, 1);
      }),
    ),
  );
  await Promise.all([relay(), relay()]);
  await allPublished();
  const stream = await inStream();
  expect(stream).toHaveLength(jobs.length * 2);
  for (const job of jobs) {
    const order = stream.filter(({ subject }) => subject.endsWith(job)).map(({ version }) => version);
    expect(order).toEqual([1, 2]);
  }
});

it("finds rows of a process that died after its commit", async () => {
  const id = await store.transaction("join", (tx) => emitJoined(tx, newId("node"), 1));
  await relay();
  await allPublished();
  expect((await inStream()).map((each) => each.id)).toEqual([id]);
});

it.each([
  ["before it publishes", "scheduler.outbox.before-publish", 0],
  ["between publish and mark", "scheduler.outbox.published", 1],
])("leaves one event in the stream when it is killed %s", async (_when, crashAt, published) => {
  const child = spawn(process.execPath, [fileURLToPath(new URL("./test-child.ts", import.meta.url))], {
    env: childEnvironment("relay", crashAt, database, nats),
    stdio: ["ignore", "inherit", "inherit"],
  });
  const [, signal] = await once(child, "exit");
  expect(signal).toBe("SIGKILL");
  expect(await inStream()).toHaveLength(published);
  expect(await rows().countDocuments({ state: "unpublished" })).toBe(1);

  await relay();
  await allPublished();
  const stream = await inStream();
  expect(stream).toHaveLength(1);
  expect(await rows().findOne()).toMatchObject({ _id: stream[0]?.id, streamSequence: 1 });
});

it("recognises its events in the stream long after the server forgot their ids", async () => {
  const first = await relay();
  const node = newId("node");
  for (const version of [1, 2, 3]) await store.transaction("join", (tx) => emitJoined(tx, node, version));
  await allPublished();
  await first.stop();
  const before = await rows().find().sort({ _id: 1 }).toArray();
  // What a relay leaves that dies before its mark, found again when the server's window of message ids is over.
  await rows().updateMany(
    {},
    { $set: { state: "unpublished" }, $unset: { streamSequence: "", publishedAt: "" } },
  );
  const probe = `trainyard.default.scheduler.node.lost.v1.${newId("node")}`;
  const publish = () => bus.publish(probe, Buffer.from("{}"), { msgId: "probe" });
  await publish();
  expect((await publish()).duplicate).toBe(true);
  // A server that starts remembers only the ids of its window.
  await bus.jsm.streams.update(STREAM, { duplicate_window: 100_000_000 });
  await nats.server.stop();
  await nats.server.restart();
  expect((await publish()).duplicate).toBe(false);
  await relay();
  await allPublished();
  const ids = (await inStream()).filter(({ subject }) => subject.endsWith(node)).map(({ id }) => id);
  expect(ids).toEqual(before.map(({ _id }) => _id));
  const after = await rows().find().sort({ _id: 1 }).toArray();
  expect(after.map((row) => row.streamSequence)).toEqual(before.map((row) => row.streamSequence));
});

it("publishes everything again, in order, into a stream that was lost with its data", async () => {
  await relay();
  const node = newId("node");
  for (const version of [1, 2, 3]) await store.transaction("join", (tx) => emitJoined(tx, node, version));
  await allPublished();
  const before = await inStream();
  await bus.jsm.streams.delete(STREAM);
  // The next event meets a missing stream, which is how the loss is noticed before the next check.
  await store.transaction("join", (tx) => emitJoined(tx, newId("node"), 1));
  await waitFor("all events again", async () => (await inStream().catch(() => [])).length === 4);
  await allPublished();
  const after = await inStream();
  expect(after.filter(({ subject }) => subject.endsWith(node)).map(({ id }) => id)).toEqual(
    before.map(({ id }) => id),
  );
});

it("publishes again what a restore of the bus from a backup has taken away", async () => {
  await relay();
  const node = newId("node");
  const kept = await store.transaction("join", (tx) => emitJoined(tx, node, 1));
  await allPublished();
  const dir = dirname(nats.server.logFile);
  await nats.server.stop();
  cpSync(join(dir, "data"), join(dir, "backup"), { recursive: true });
  await nats.server.restart();
  const lost = await store.transaction("join", (tx) => emitJoined(tx, node, 2));
  await allPublished();
  expect(await inStream()).toHaveLength(2);
  await nats.server.stop();
  rmSync(join(dir, "data"), { recursive: true });
  cpSync(join(dir, "backup"), join(dir, "data"), { recursive: true });
  const restoredAt = new Date();
  await nats.server.restart();
  await waitFor("the lost event, published again", () =>
    rows()
      .findOne({ _id: lost, publishedAt: { $gt: restoredAt } })
      .then((row) => row !== null),
  );
  expect((await inStream()).map(({ id }) => id)).toEqual([kept, lost]);
});

it("carries on by itself after the bus was killed", async () => {
  await relay();
  await store.transaction("join", (tx) => emitJoined(tx, newId("node"), 1));
  await allPublished();
  await nats.server.kill("SIGKILL");
  const ids = [];
  for (let n = 0; n < 5; n++)
    ids.push(await store.transaction("join", (tx) => emitJoined(tx, newId("node"), 1)));
  await nats.server.restart();
  await waitFor(
    "every row published",
    async () => (await rows().countDocuments({ state: "unpublished" })) === 0,
  );
  const stream = await inStream();
  expect(stream).toHaveLength(6);
  expect(new Set(stream.slice(1).map(({ id }) => id))).toEqual(new Set(ids));
});
