import { readFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { connectBus, consume, declareStream, done, eventStreamSpec } from "@trainyard/bus";
import { eventFilter, eventStreamName, scheduler } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { type Platform, preparePlatform } from "@trainyard/local";
import { eventConsumer, on, openStore, outboxRelay } from "@trainyard/store";
import { testLogger, waitFor } from "@trainyard/testing";
import { type Measurement, median, quantile } from "./result.ts";

const LATENCY_SAMPLES = 300;
const THROUGHPUT_EVENTS = 2_000;
const COMMITS_AT_ONCE = 32;

/** How long a message takes from its publishing to its handler, and how many events a second go from commit to effect. */
export async function measureEvents(
  dir: string,
  say: (line: string) => void,
): Promise<readonly Measurement[]> {
  const platform: Platform = await preparePlatform(join(dir, "events"), { ports: "free" });
  const servers = await platform.startServers({ dieWithParent: true });
  const logger = testLogger("bench");
  const seed = readFileSync(platform.seedFile("admin"), "utf8");
  const bus = await connectBus({ servers: platform.natsUrl, name: "admin", seed, logger });
  await declareStream(bus, eventStreamSpec("scheduler"));
  try {
    say("publish to handler");
    const direct = await publishToHandler();
    say("commit to effect, one at a time");
    const { latencies, eventsPerSecond } = await outboxToInbox();
    return [
      { metric: "publish_to_handler_p50", unit: "ms", value: median(direct) },
      {
        metric: "publish_to_handler_p99",
        unit: "ms",
        value: quantile(direct, 0.99),
        aim: { op: "<", value: 20 },
      },
      { metric: "commit_to_handler_p50", unit: "ms", value: median(latencies) },
      { metric: "commit_to_handler_p99", unit: "ms", value: quantile(latencies, 0.99) },
      { metric: "events_outbox_to_consumer", unit: "events/s", value: eventsPerSecond },
    ];
  } finally {
    await bus.close();
    await servers.stop();
  }

  async function publishToHandler(): Promise<readonly number[]> {
    const arrived = new Map<string, (at: number) => void>();
    const consumer = consume(
      bus,
      {
        stream: eventStreamName("scheduler"),
        durable: "bench-latency",
        filters: [eventFilter("scheduler", "bench")],
        maxDeliver: 3,
        ackWaitMs: 30_000,
        concurrency: 16,
        logger,
      },
      async ({ msgId = "" }) => {
        arrived.get(msgId)?.(performance.now());
        return done;
      },
    );
    await consumer.start();
    const samples: number[] = [];
    for (let index = 0; index < LATENCY_SAMPLES + 20; index++) {
      const msgId = newId("evt");
      const { promise, resolve } = Promise.withResolvers<number>();
      arrived.set(msgId, resolve);
      const from = performance.now();
      await bus.publish(`trainyard.default.scheduler.bench.published.v1.${msgId}`, new Uint8Array(512), {
        msgId,
      });
      // The first ones warm up connections and code.
      if (index >= 20) samples.push((await promise) - from);
      else await promise;
    }
    await consumer.stop();
    return samples;
  }

  async function outboxToInbox() {
    const { TRAINYARD_MONGODB_URI: uri = "", TRAINYARD_MONGODB_DATABASE: database = "" } =
      platform.serviceEnv("scheduler");
    const store = await openStore({ uri, database, logger });
    const seen = new Map<string, number>();
    const relay = outboxRelay({ store, bus, service: "scheduler", logger });
    const consumer = eventConsumer({
      store,
      bus,
      logger,
      name: "bench-effect",
      from: "scheduler",
      handlers: [
        on(scheduler.NodeJoinedSchema, { mode: "every-one" }, async (_tx, event) => {
          seen.set(event.subject, performance.now());
        }),
      ],
    });
    await relay.start();
    await consumer.start();
    const emit = (id: string) =>
      store.transaction("bench", async (tx) => {
        const data = create(scheduler.NodeJoinedSchema, { nodeId: id, slots: 1 });
        await tx.emit({
          schema: scheduler.NodeJoinedSchema,
          project: "default",
          id,
          aggregateVersion: 1,
          actor: "bench",
          data,
        });
      });
    const latencies: number[] = [];
    for (let index = 0; index < 120; index++) {
      const id = newId("node");
      await emit(id);
      const from = performance.now();
      const at = await waitFor("the event", () => seen.get(id), { intervalMs: 1 });
      if (index >= 20) latencies.push(Math.max(0, at - from));
    }
    say(`${THROUGHPUT_EVENTS} events, ${COMMITS_AT_ONCE} commits at once`);
    seen.clear();
    const from = performance.now();
    let next = 0;
    const worker = async () => {
      for (; next < THROUGHPUT_EVENTS; next++) await emit(newId("node"));
    };
    await Promise.all(Array.from({ length: COMMITS_AT_ONCE }, worker));
    await waitFor("every event's effect", () => seen.size >= THROUGHPUT_EVENTS, {
      timeoutMs: 120_000,
      intervalMs: 5,
    });
    const seconds = (Math.max(...seen.values()) - from) / 1000;
    const stop = AbortSignal.timeout(5_000);
    await consumer.stop(stop);
    await relay.stop(stop);
    await store.close();
    return { latencies, eventsPerSecond: seen.size / seconds };
  }
}
