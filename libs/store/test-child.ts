/** A process for the tests to lose: does its role until a crash point ends it. Never a part of the lib. */
import { connectBus } from "@trainyard/bus";
import { scheduler } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { createLogger } from "@trainyard/telemetry";
import { eventConsumer } from "./event-consumer.ts";
import { on } from "./event-handler.ts";
import { openStore } from "./open-store.ts";
import { outboxRelay } from "./outbox-relay.ts";
import { emitJoined } from "./test-events.ts";

const LIFETIME_MS = 20_000;

const setting = (name: string) => process.env[name] ?? "";
const logger = createLogger({ service: "store-test-child", level: "silent" });
const store = await openStore({
  uri: setting("TEST_MONGODB_URI"),
  database: setting("TEST_DATABASE"),
  logger,
});
const servers = setting("TEST_NATS_URL");
const bus = await connectBus({ servers, name: "store-test-child", seed: setting("TEST_NATS_SEED"), logger });

if (setting("TEST_ROLE") === "relay") {
  await store.transaction("join", (tx) => emitJoined(tx, newId("node"), 1));
  await outboxRelay({ store, bus, service: "scheduler", logger }).start();
} else {
  const count = on(scheduler.NodeJoinedSchema, { mode: "every-one" }, async (tx, event) => {
    await store.collection("effects").insertOne({ event: event.id }, { session: tx.session });
  });
  const consumer = { store, bus, logger, name: "test-count", from: "scheduler", handlers: [count] };
  await eventConsumer({ ...consumer, ackWaitMs: 500 }).start();
}
setTimeout(() => process.exit(1), LIFETIME_MS);
