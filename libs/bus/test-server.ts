import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type NatsServer, type NatsUser, setNatsUsers, startNatsServer } from "@trainyard/local";
import { createLogger } from "@trainyard/telemetry";
import { afterAll, beforeAll, onTestFinished, vi } from "vitest";
import {
  type Bus,
  type ConsumerSpec,
  connectBus,
  consume,
  type Delivery,
  deadLetterStreamSpec,
  declareStream,
  eventStreamSpec,
  generateNkey,
  type HandlerResult,
  natsPermissions,
} from "./index.ts";

/** Silent unless TRAINYARD_TEST_LOG is set. */
export const logger = createLogger({
  service: "bus-test",
  level: process.env.TRAINYARD_TEST_LOG ? "debug" : "silent",
});
/** The stream the tests publish to. */
export const stream = "EVENTS_SCHEDULER";
/** Text as bytes. */
export const text = (value: string) => new TextEncoder().encode(value);
/** Bytes as text. */
export const read = (value: Uint8Array) => new TextDecoder().decode(value);

/** The users of this file's server, by the name they connect with. */
const roles: Readonly<Record<string, () => ReturnType<typeof natsPermissions>>> = {
  test: () => natsPermissions("admin"),
  scheduler: () => natsPermissions("scheduler"),
  tracking: () => natsPermissions("tracking"),
  registry: () => natsPermissions("registry"),
  gateway: () => natsPermissions("gateway"),
  subscriber: () => natsPermissions("subscriber"),
  "agent-node_a": () => natsPermissions("worker-agent", { nodeId: "node_a" }),
  "agent-node_b": () => natsPermissions("worker-agent", { nodeId: "node_b" }),
};

let dir: string;
let server: NatsServer;
let users: readonly NatsUser[];
const seeds = new Map<string, string>();

/** Starts a server for the calling file, and stops it at its end. */
export function useBusServer(): void {
  beforeAll(start);
  afterAll(stop);
}

async function start(): Promise<void> {
  dir = mkdtempSync(join(tmpdir(), "ty-bus-"));
  users = Object.entries(roles).map(([name, permissions]) => {
    const { publicKey, seed } = generateNkey();
    seeds.set(name, seed);
    return { name, publicKey, ...permissions() };
  });
  server = await startNatsServer({ dir, users, dieWithParent: true });
}

async function stop(): Promise<void> {
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
}

/** Kills the server as a power cut would, and starts it again. */
export async function killAndRestart(): Promise<void> {
  await server.kill("SIGKILL");
  await server.restart();
}

/** Has the server take its users in anew, as when a node joins; all of them, or all but one. */
export function takeUsers({ without }: { readonly without?: string } = {}): Promise<void> {
  const known = users.filter(({ name }) => name !== without);
  return setNatsUsers({ dir, host: serverUrl().hostname, port: server.port, users: known });
}

/** How often the server has refused a client so far. */
export function refusals(): number {
  return readFileSync(server.logFile, "utf8").split("authentication error").length - 1;
}

/** Where the server is. */
export const serverUrl = () => new URL(server.url);

/** A connection as one of the users: a service's name, "subscriber", "agent-node_a", or "test", who may do everything. */
export async function busOf(name: string, servers = server.url): Promise<Bus> {
  const bus = await connectBus({ servers, name, seed: seeds.get(name) ?? "", logger });
  onTestFinished(() => bus.close());
  return bus;
}

/** An empty stream of scheduler events, and a bus that may do everything. */
export async function freshStream(): Promise<Bus> {
  const bus = await busOf("test");
  await bus.jsm.streams.delete(stream).catch(() => undefined);
  await bus.jsm.streams.delete("DEAD_LETTERS").catch(() => undefined);
  // The server answers that a stream is gone before the last of its files are, and then has no place for the next one.
  for (const spec of [eventStreamSpec("scheduler"), deadLetterStreamSpec()])
    await until(() => declareStream(bus, spec));
  return bus;
}

/** The subject of a submitted job's event. */
export const subject = (id: string) => `trainyard.default.scheduler.job.submitted.v1.${id}`;

/** A consumer that keeps what it is given; ends with the test. */
export async function consumer(
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

/** Waits until the check passes, within a deadline. */
export const until = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { timeout: 60_000, interval: 20 });
