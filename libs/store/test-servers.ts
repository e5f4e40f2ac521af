/** Set-up shared by this lib's integration tests: servers of the calling file's own, since some tests kill them. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { type Bus, connectBus, generateNkey } from "@trainyard/bus";
import { scheduler } from "@trainyard/contracts";
import { type Mongod, type NatsServer, startMongod, startNatsServer } from "@trainyard/local";
import { createLogger } from "@trainyard/telemetry";
import { onTestFinished } from "vitest";
import { openStore } from "./open-store.ts";
import type { Store, Tx } from "./store.ts";

/** A logger that says nothing, unless TRAINYARD_TEST_LOG asks for it. */
export const logger = createLogger({
  service: "store-test",
  level: process.env.TRAINYARD_TEST_LOG ? "debug" : "silent",
});

/** Something to give back when the file's tests are over. */
export interface Disposable {
  dispose(): Promise<void>;
}

/** A mongod of the calling file's own. */
export async function ownMongod(): Promise<Mongod & Disposable> {
  const dir = mkdtempSync(join(tmpdir(), "ty-store-mongod-"));
  const server = await startMongod({ dir, dieWithParent: true });
  return {
    ...server,
    dispose: async () => {
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A nats-server of the calling file's own, with one user that may do everything. */
export async function ownNatsServer(): Promise<NatsServer & Disposable & { dir: string; seed: string }> {
  const dir = mkdtempSync(join(tmpdir(), "ty-store-nats-"));
  const { publicKey, seed } = generateNkey();
  const everything = { allow: [">"] };
  const users = [{ name: "test", publicKey, publish: everything, subscribe: everything }];
  const server = await startNatsServer({ dir, users, dieWithParent: true });
  return {
    ...server,
    dir,
    seed: String(seed),
    dispose: async () => {
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A fresh database's name. */
export function freshDatabase(): string {
  return `t_${randomBytes(6).toString("hex")}`;
}

/** A store on a fresh (or that) database, closed when the test ends. */
export async function freshStore(uri: string, database = freshDatabase()): Promise<Store> {
  const store = await openStore({ uri, database, logger });
  onTestFinished(() => store.close());
  return store;
}

/** A connection to the bus, closed when the test ends. */
export async function freshBus(server: { url: string; seed: string }): Promise<Bus> {
  const bus = await connectBus({ servers: server.url, name: "store-test", seed: server.seed, logger });
  onTestFinished(() => bus.close());
  return bus;
}

/** Emits that a node with so many slots joined: an event as plain as they come. */
export function emitJoined(tx: Tx, id: string, version: number, slots = version): Promise<string> {
  return tx.emit({
    schema: scheduler.NodeJoinedSchema,
    project: "default",
    id,
    aggregateVersion: version,
    actor: "test",
    data: create(scheduler.NodeJoinedSchema, { nodeId: id, slots }),
  });
}

/** Emits that a node was lost: another event, and so another subject, of the same aggregate. */
export function emitLost(tx: Tx, id: string, version: number): Promise<string> {
  return tx.emit({
    schema: scheduler.NodeLostSchema,
    project: "default",
    id,
    aggregateVersion: version,
    actor: "test",
    data: create(scheduler.NodeLostSchema, { nodeId: id }),
  });
}

/** Waits until `fn` gives something else than undefined or false; fails after `timeoutMs`, naming what was awaited. */
export async function waitUntil<T>(
  what: string,
  fn: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 10_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await fn();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
