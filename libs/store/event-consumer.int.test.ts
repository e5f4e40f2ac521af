import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import {
  type Bus,
  deadLetterStreamSpec,
  declareStream,
  eventStreamSpec,
  type HandlerResult,
  listDeadLetters,
  reject,
  retry,
} from "@trainyard/bus";
import {
  type CloudEvent,
  encodeCloudEvent,
  eventSubject,
  eventTypeOf,
  scheduler,
} from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { currentTraceparent } from "@trainyard/telemetry";
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
import { eventConsumer } from "./event-consumer.ts";
import { type EventMode, on } from "./event-handler.ts";
import { openStore } from "./open-store.ts";
import type { Store, Tx } from "./store.ts";
import { childEnvironment } from "./test-events.ts";

type Joined = CloudEvent<scheduler.NodeJoined>;

const logger = testLogger();
const STREAM = "EVENTS_SCHEDULER";
const NAME = "test-count";

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
  await declareStream(bus, eventStreamSpec("scheduler"));
  // A dead letter's id is its place in the stream, and the places begin anew.
  await bus.jsm.streams.delete(deadLetterStreamSpec().name).catch(() => undefined);
  await declareStream(bus, deadLetterStreamSpec());
});

const effects = () => store.collection<{ event: string; slots: number }>("effects");

async function record(tx: Tx, event: Joined): Promise<void> {
  await effects().insertOne({ event: event.id, slots: event.data.slots }, { session: tx.session });
}

type Handle = (tx: Tx, event: Joined) => Promise<undefined | HandlerResult> | Promise<void>;

async function consumer(
  handle: Handle = record,
  mode: EventMode = "every-one",
): Promise<{ stop(): Promise<void> }> {
  const handlers = [on(scheduler.NodeJoinedSchema, { mode }, handle)];
  const options = { store, bus, logger, name: NAME, from: "scheduler", handlers };
  const part = eventConsumer({ ...options, concurrency: 1, ackWaitMs: 500 });
  await part.start();
  const stop = () => part.stop(AbortSignal.timeout(5_000));
  onTestFinished(stop);
  return { stop };
}

function joined(node: string, version: number): Joined {
  return {
    specversion: "1.0",
    id: newId("evt"),
    source: "/trainyard/scheduler",
    type: eventTypeOf(scheduler.NodeJoinedSchema).type,
    subject: node,
    time: new Date().toISOString(),
    datacontenttype: "application/json",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    project: "default",
    actor: "test",
    aggregateversion: version,
    data: create(scheduler.NodeJoinedSchema, { nodeId: node, slots: version }),
  };
}

async function send(
  event: Joined,
  bytes = encodeCloudEvent(scheduler.NodeJoinedSchema, event),
): Promise<void> {
  const subject = eventSubject(event.project, eventTypeOf(scheduler.NodeJoinedSchema), event.subject);
  // A message id of its own, so that the stream lets duplicates through to the consumer.
  await bus.publish(subject, bytes, { msgId: newId("req") });
}

/** Waits until the consumer has nothing left: no message undelivered, none unanswered. */
const drained = () =>
  waitFor("consumer has answered everything", async () => {
    const info = await bus.jsm.consumers.info(STREAM, NAME);
    return info.num_pending === 0 && info.num_ack_pending === 0;
  });
const slotsTaken = async () => (await effects().find().sort({ _id: 1 }).toArray()).map(({ slots }) => slots);

it("takes a duplicate event into effect once", async () => {
  const event = joined(newId("node"), 1);
  await send(event);
  await send(event);
  await consumer();
  await drained();
  expect(await slotsTaken()).toEqual([1]);
});

it("takes no effect again when it was killed between its commit and the ack", async () => {
  const event = joined(newId("node"), 1);
  await send(event);
  const child = spawn(process.execPath, [fileURLToPath(new URL("./test-child.ts", import.meta.url))], {
    env: childEnvironment("consumer", `${NAME}.event.committed`, database, nats),
    stdio: ["ignore", "inherit", "inherit"],
  });
  const [, signal] = await once(child, "exit");
  expect(signal).toBe("SIGKILL");
  expect(await effects().countDocuments()).toBe(1);
  expect((await bus.jsm.consumers.info(STREAM, NAME)).num_ack_pending).toBe(1);
  await consumer();
  await drained();
  expect(await effects().countDocuments()).toBe(1);
});

it.each([
  ["bytes that are no JSON", new Uint8Array([0xff, 0x00])],
  ["JSON that is no CloudEvent", new TextEncoder().encode('{"hello":"world"}')],
  [
    "data of another shape",
    new TextEncoder().encode(JSON.stringify({ ...joined("n", 1), data: { slots: "many" } })),
  ],
])("puts %s aside and goes on with the next", async (_what, bytes) => {
  await consumer();
  const node = newId("node");
  await send(joined(node, 1), bytes);
  await send(joined(newId("node"), 2));
  await drained();
  expect(await slotsTaken()).toEqual([2]);
  const letters = await listDeadLetters(bus);
  expect(letters.filter(({ subject }) => subject.endsWith(node))).toHaveLength(1);
});

it("ignores a version older than the last one taken, where the latest wins", async () => {
  const [node, other] = [newId("node"), newId("node")];
  await consumer(record, "latest-wins");
  for (const event of [joined(node, 3), joined(node, 2), joined(other, 1), joined(node, 4)]) {
    await send(event);
    await drained();
  }
  expect(await slotsTaken()).toEqual([3, 1, 4]);
});

it("takes every version in whatever order, where each counts", async () => {
  const node = newId("node");
  await consumer(record, "every-one");
  for (const event of [joined(node, 2), joined(node, 1)]) {
    await send(event);
    await drained();
  }
  expect(await slotsTaken()).toEqual([2, 1]);
});

it("finishes the event under way at a shutdown, and does not get it again", async () => {
  await send(joined(newId("node"), 1));
  let begun = false;
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const first = await consumer(async (tx, event) => {
    begun = true;
    await record(tx, event);
    await gate;
  });
  await waitFor("the handler to begin", () => begun);
  const stopped = first.stop();
  release();
  await stopped;
  expect(await slotsTaken()).toEqual([1]);
  await consumer();
  await drained();
  expect(await slotsTaken()).toEqual([1]);
});

it("rolls a throwing handler back and tries it again", async () => {
  await send(joined(newId("node"), 1));
  let tries = 0;
  await consumer(async (tx, event) => {
    await record(tx, event);
    if (++tries < 3) throw new Error("not yet");
  });
  await drained();
  expect(tries).toBe(3);
  expect(await slotsTaken()).toEqual([1]);
});

it.each<[string, HandlerResult, number[]]>([
  ["a retry, and asks again later", retry(50, "not yet"), [1]],
  ["a rejection, for good", reject("not for us"), []],
])("takes no effect of a handler that answers with %s", async (_what, answer, taken) => {
  await send(joined(newId("node"), 1));
  let tries = 0;
  await consumer(async (tx, event) => {
    await record(tx, event);
    return tries++ === 0 ? answer : undefined;
  });
  await waitFor("the handler to run", () => tries > 0);
  await drained();
  expect(await slotsTaken()).toEqual(taken);
});

it("runs the handler in the event's trace", async () => {
  await send(joined(newId("node"), 1));
  let seen: string | undefined;
  await consumer(async () => {
    seen = currentTraceparent() ?? "none";
  });
  await drained();
  expect(seen).toContain("0af7651916cd43dd8448eb211c80319c");
});
