import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type NatsServer, type NatsUser, startNatsServer } from "@trainyard/local";
import { createLogger } from "@trainyard/telemetry";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import {
  type Bus,
  type ConsumerSpec,
  connectBus,
  consume,
  createKv,
  type Delivery,
  deadLetterFeeder,
  deadLetterStreamSpec,
  declareStream,
  done,
  eventStreamSpec,
  generateNkey,
  type HandlerResult,
  isKvConflict,
  listDeadLetters,
  natsPermissions,
  openKv,
  PublishError,
  reject,
  replayDeadLetter,
  retry,
  StalePublisherError,
  showDeadLetter,
  telemetryStreamSpec,
} from "./index.ts";

const logger = createLogger({
  service: "bus-test",
  level: process.env.TRAINYARD_TEST_LOG ? "debug" : "silent",
});
const stream = "EVENTS_SCHEDULER";
const text = (value: string) => new TextEncoder().encode(value);
const read = (value: Uint8Array) => new TextDecoder().decode(value);

/** The users of this file's server, by the name they connect with. */
const roles: Readonly<Record<string, () => ReturnType<typeof natsPermissions>>> = {
  test: () => natsPermissions("admin"),
  scheduler: () => natsPermissions("scheduler"),
  tracking: () => natsPermissions("tracking"),
  registry: () => natsPermissions("registry"),
  gateway: () => natsPermissions("gateway"),
  subscriber: () => natsPermissions("subscriber"),
  "agent-node_a": () => natsPermissions("worker-agent", { nodeId: "node_a" }),
};

let dir: string;
let server: NatsServer;
const seeds = new Map<string, string>();

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "ty-bus-"));
  const users: NatsUser[] = Object.entries(roles).map(([name, permissions]) => {
    const { publicKey, seed } = generateNkey();
    seeds.set(name, seed);
    return { name, publicKey, ...permissions() };
  });
  server = await startNatsServer({ dir, users, dieWithParent: true });
});

afterAll(async () => {
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function busOf(name: string): Promise<Bus> {
  const bus = await connectBus({ servers: server.url, name, seed: seeds.get(name) ?? "", logger });
  onTestFinished(() => bus.close());
  return bus;
}

/** An empty stream of scheduler events, and a bus that may do everything. */
async function freshStream(): Promise<Bus> {
  const bus = await busOf("test");
  await bus.jsm.streams.delete(stream).catch(() => undefined);
  await bus.jsm.streams.delete("DEAD_LETTERS").catch(() => undefined);
  await declareStream(bus, eventStreamSpec("scheduler"));
  await declareStream(bus, deadLetterStreamSpec());
  return bus;
}

const subject = (id: string) => `trainyard.default.scheduler.job.submitted.v1.${id}`;

/** A consumer that keeps what it is given; ends with the test. */
async function consumer(
  bus: Bus,
  handler: (delivery: Delivery) => Promise<HandlerResult>,
  spec: Partial<ConsumerSpec> = {},
) {
  const consuming = consume(
    bus,
    {
      stream,
      durable: "tracking-jobs",
      filters: ["trainyard.>"],
      maxDeliver: 5,
      ackWaitMs: 2_000,
      concurrency: 4,
      logger,
      ...spec,
    },
    handler,
  );
  await consuming.start();
  onTestFinished(() => consuming.stop());
  return consuming;
}

const until = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { timeout: 20_000, interval: 20 });

describe("publishing", () => {
  it("stores one message for one id", async () => {
    const bus = await freshStream();
    const first = await bus.publish(subject("a"), text("1"), { msgId: "evt_1" });
    const second = await bus.publish(subject("a"), text("1"), { msgId: "evt_1" });
    expect([first.duplicate, second.duplicate, second.seq]).toEqual([false, true, first.seq]);
  });

  it("refuses a publisher whose knowledge is old", async () => {
    const bus = await freshStream();
    const { seq } = await bus.publish(subject("a"), text("1"), {
      msgId: "1",
      expectedLastSubjectSequence: 0,
    });
    await bus.publish(subject("a"), text("2"), { msgId: "2", expectedLastSubjectSequence: seq });
    const stale = bus.publish(subject("a"), text("3"), { msgId: "3", expectedLastSubjectSequence: seq });
    await expect(stale).rejects.toBeInstanceOf(StalePublisherError);
  });

  it("says so when no stream takes the subject", async () => {
    const bus = await freshStream();
    await expect(bus.publish("nobody.listens", text("x"), { msgId: "x" })).rejects.toBeInstanceOf(
      PublishError,
    );
  });
});

describe("consuming", () => {
  it("hands over subject, bytes, id and trace context", async () => {
    const bus = await freshStream();
    const seen: Delivery[] = [];
    await consumer(bus, async (delivery) => {
      seen.push(delivery);
      return done;
    });
    await bus.publish(subject("a"), text("hello"), { msgId: "evt_1", traceparent: "00-1-2-01" });
    await until(() => expect(seen).toHaveLength(1));
    expect(seen[0]).toMatchObject({
      subject: subject("a"),
      msgId: "evt_1",
      traceparent: "00-1-2-01",
      deliveryCount: 1,
    });
    expect(read(seen[0]?.data ?? text(""))).toBe("hello");
  });

  it("delivers again after a retry and after a handler that throws", async () => {
    const bus = await freshStream();
    const counts: number[] = [];
    await consumer(bus, async ({ deliveryCount }) => {
      counts.push(deliveryCount);
      if (deliveryCount === 1) return retry(10, "not yet");
      if (deliveryCount === 2) throw new Error("boom");
      return done;
    });
    await bus.publish(subject("a"), text("x"), { msgId: "1" });
    await until(() => expect(counts).toEqual([1, 2, 3]));
    expect(await listDeadLetters(bus)).toEqual([]);
  });

  it("puts a rejected message aside with the reason, to be shown and replayed", async () => {
    const bus = await freshStream();
    let poison = true;
    const taken: string[] = [];
    await consumer(bus, async ({ data }) => {
      if (poison) return reject("cannot\nread it");
      taken.push(read(data));
      return done;
    });
    await bus.publish(subject("a"), text("bad"), { msgId: "1" });
    const [letter] = await until(async () => {
      const letters = await listDeadLetters(bus);
      expect(letters).toHaveLength(1);
      return letters;
    });
    expect(letter).toMatchObject({
      stream,
      consumer: "tracking-jobs",
      subject: subject("a"),
      reason: "cannot read it",
    });
    poison = false;
    await replayDeadLetter(bus, letter?.id ?? "");
    await until(() => expect(taken).toEqual(["bad"]));
    expect(await showDeadLetter(bus, letter?.id ?? "")).toBeUndefined();
  });

  it("puts a message aside once it was delivered too often", async () => {
    const bus = await freshStream();
    await consumer(bus, async () => retry(5, "never works"), { maxDeliver: 3 });
    await bus.publish(subject("a"), text("x"), { msgId: "1" });
    await until(async () =>
      expect(await listDeadLetters(bus)).toMatchObject([{ reason: "never works", deliveries: 3 }]),
    );
  });

  it("puts a message aside whose handler dies each time", async () => {
    const bus = await freshStream();
    const feeder = deadLetterFeeder(bus, logger);
    await feeder.start();
    onTestFinished(() => feeder.stop());
    await bus.jsm.consumers.add(stream, {
      durable_name: "dying",
      ack_policy: "explicit",
      ack_wait: 200_000_000,
      max_deliver: 2,
    });
    await bus.publish(subject("a"), text("deadly"), { msgId: "1" });
    const dying = await bus.js.consumers.get(stream, "dying");
    for (const _ of [1, 2]) await dying.next({ expires: 3_000 });
    await until(async () => {
      // The server notices at the next pull that the last delivery went unanswered.
      await dying.next({ expires: 1_000 });
      expect(await listDeadLetters(bus)).toMatchObject([{ consumer: "dying", subject: subject("a") }]);
    });
  });

  it("goes on after the server was killed", async () => {
    const bus = await freshStream();
    const seen: string[] = [];
    await consumer(bus, async ({ data }) => {
      seen.push(read(data));
      return done;
    });
    await bus.publish(subject("a"), text("before"), { msgId: "1" });
    await until(() => expect(seen).toEqual(["before"]));
    await server.kill("SIGKILL");
    await server.restart();
    await until(() => bus.publish(subject("a"), text("after"), { msgId: "2" }));
    await until(() => expect(seen).toEqual(["before", "after"]));
  });

  it("lets a running handler finish when it is stopped, and delivers the rest later", async () => {
    const bus = await freshStream();
    const { promise: started, resolve: start } = Promise.withResolvers<void>();
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const first: number[] = [];
    const consuming = await consumer(
      bus,
      async ({ seq }) => {
        start();
        await gate;
        first.push(seq);
        return done;
      },
      { concurrency: 1 },
    );
    for (const id of ["1", "2", "3"]) await bus.publish(subject("a"), text(id), { msgId: id });
    await started;
    const stopped = consuming.stop();
    open();
    await stopped;
    expect(first).toEqual([1]);
    const rest = new Set<number>();
    await consumer(bus, async ({ seq }) => {
      rest.add(seq);
      return done;
    });
    await until(() => expect([...rest].sort()).toEqual([2, 3]));
  });

  it("waits for a stream that does not exist yet", async () => {
    const bus = await freshStream();
    await bus.jsm.streams.delete(stream);
    const seen: number[] = [];
    await consumer(bus, async ({ seq }) => {
      seen.push(seq);
      return done;
    });
    await declareStream(bus, eventStreamSpec("scheduler"));
    await bus.publish(subject("a"), text("x"), { msgId: "1" });
    await until(() => expect(seen).toEqual([1]));
  });

  it("takes over a consumer that was declared with other settings", async () => {
    const bus = await freshStream();
    const old = await consumer(bus, async () => done, { maxDeliver: 3 });
    await until(async () =>
      expect((await bus.jsm.consumers.info(stream, "tracking-jobs")).config.max_deliver).toBe(3),
    );
    await old.stop();
    await consumer(bus, async () => done, { maxDeliver: 7, filters: ["trainyard.*.scheduler.job.>"] });
    await until(async () =>
      expect((await bus.jsm.consumers.info(stream, "tracking-jobs")).config.max_deliver).toBe(7),
    );
  });
});

describe("permissions", () => {
  it("let each service make its own stream and consume another's", async () => {
    await (await busOf("test")).jsm.streams.delete(stream).catch(() => undefined);
    const scheduler = await busOf("scheduler");
    await declareStream(scheduler, eventStreamSpec("scheduler"));
    const seen: number[] = [];
    await consumer(await busOf("registry"), async ({ seq }) => {
      seen.push(seq);
      return done;
    });
    await scheduler.publish(subject("a"), text("x"), { msgId: "1" });
    await until(() => expect(seen).toEqual([1]));
  });

  it("keep a service from publishing as another, and from another's stream", async () => {
    const bus = await busOf("registry");
    await expect(bus.publish(subject("a"), text("x"), { msgId: "forged" })).rejects.toThrow();
    await expect(declareStream(bus, telemetryStreamSpec())).rejects.toThrow();
  });

  it("let the scheduler write desired state and the node read its own", async () => {
    const desired = await createKv(await busOf("scheduler"), "desired");
    await desired.put("node.node_a", "run this");
    const agent = await busOf("agent-node_a");
    const own = await openKv(agent, "desired");
    expect((await own.get("node.node_a"))?.string()).toBe("run this");
    const watch = await own.watch({ key: "node.node_a" });
    onTestFinished(() => watch.stop());
    for await (const entry of watch) {
      expect(entry.string()).toBe("run this");
      break;
    }
  });

  it("keep a node from writing desired state and from reading another's", async () => {
    const desired = await createKv(await busOf("scheduler"), "desired");
    await desired.put("node.node_b", "secret");
    const agent = await busOf("agent-node_a");
    const kv = await openKv(agent, "desired");
    await expect(kv.put("node.node_a", "mine")).rejects.toThrow();
    await expect(kv.get("node.node_b")).rejects.toThrow();
    await expect(kv.watch({ key: "node.node_b" })).rejects.toThrow();
    await expect(kv.watch()).rejects.toThrow();
  });

  it("let a subscriber read events and publish nothing", async () => {
    const admin = await freshStream();
    const bus = await busOf("subscriber");
    const subscription = bus.nc.subscribe("trainyard.>", { max: 1 });
    await bus.nc.flush();
    await admin.publish(subject("a"), text("news"), { msgId: "1" });
    for await (const message of subscription) expect(message.string()).toBe("news");
    await expect(bus.publish(subject("b"), text("x"), { msgId: "2" })).rejects.toThrow();
    await expect(bus.jsm.streams.info(stream)).rejects.toThrow();
  });

  it("tell a lost compare-and-set from other errors", async () => {
    const kv = await createKv(await busOf("scheduler"), "desired");
    const revision = await kv.put("node.node_c", "1");
    await kv.update("node.node_c", "2", revision);
    const error: unknown = await kv.update("node.node_c", "3", revision).catch((caught: unknown) => caught);
    expect(isKvConflict(error)).toBe(true);
  });
});
