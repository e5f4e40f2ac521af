import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";
import { MongoClient } from "mongodb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Platform, type PlatformServers, preparePlatform } from "./platform.ts";
import { serviceNames } from "./service-names.ts";

const dir = mkdtempSync(join(tmpdir(), "trainyard-platform-"));

async function busOf(env: Readonly<Record<string, string>>) {
  const seed = readFileSync(env.TRAINYARD_NATS_SEED_FILE ?? "");
  return connect({
    servers: env.TRAINYARD_NATS_URL ?? "",
    authenticator: nkeyAuthenticator(seed),
    reconnect: false,
  });
}

describe("a platform's state folder", () => {
  let platform: Platform;
  let servers: PlatformServers;

  beforeAll(async () => {
    platform = await preparePlatform(dir, { ports: "free" });
    servers = await platform.startServers({ dieWithParent: true });
  });

  afterAll(async () => {
    await servers.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it("gives the same secrets and ports when it is prepared again", async () => {
    const again = await preparePlatform(dir, { ports: "free" });
    expect(again.ports).toEqual(platform.ports);
    expect(again.serviceEnv("scheduler")).toEqual(platform.serviceEnv("scheduler"));
  });

  it("lets only its owner read secrets", () => {
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    const env = platform.serviceEnv("gateway");
    for (const file of [env.TRAINYARD_KEY_FILE, env.TRAINYARD_NATS_SEED_FILE, join(dir, "mongod/key")]) {
      expect(statSync(file ?? "").mode & 0o777).toBe(0o600);
    }
  });

  it("publishes no private key", () => {
    const set = readFileSync(platform.serviceEnv("gateway").TRAINYARD_JWKS_FILE ?? "", "utf8");
    const keys: { kid: string }[] = JSON.parse(set).keys;
    expect(keys.map(({ kid }) => kid)).toEqual([...serviceNames]);
    expect(set).not.toContain('"d"');
  });

  it("names every peer in a service's environment", () => {
    const env = platform.serviceEnv("evaluation");
    for (const peer of serviceNames)
      expect(env[`TRAINYARD_${peer.toUpperCase()}_URL`]).toBe(platform.url(peer));
  });

  it("lets a service into its own database and not into another's", async () => {
    const env = platform.serviceEnv("tracking");
    const client = new MongoClient(env.TRAINYARD_MONGODB_URI ?? "");
    try {
      await client.db(env.TRAINYARD_MONGODB_DATABASE).collection("runs").insertOne({ at: 1 });
      const other = client
        .db(platform.serviceEnv("registry").TRAINYARD_MONGODB_DATABASE)
        .collection("models");
      await expect(other.findOne()).rejects.toThrow(/not authorized/i);
    } finally {
      await client.close();
    }
  });

  it("lets each service onto the bus with its own key, and nobody without one", async () => {
    for (const service of serviceNames) await (await busOf(platform.serviceEnv(service))).close();
    await expect(connect({ servers: platform.natsUrl, reconnect: false })).rejects.toThrow(/authorization/i);
  });

  it("takes a new node's agent onto the running bus", async () => {
    await platform.addAgent("node-1", { slots: 3 });
    const env = platform.serviceEnv("worker-agent", { nodeId: "node-1" });
    expect(env).toMatchObject({ TRAINYARD_NODE_ID: "node-1", TRAINYARD_SLOTS: "3" });
    expect(env.TRAINYARD_MONGODB_URI).toBeUndefined();
    expect(existsSync(join(env.TRAINYARD_SDK_PATH ?? "", "trainyard/__init__.py"))).toBe(true);
    await (await busOf(env)).close();
    await platform.addAgent("node-2");
    await (await busOf(platform.serviceEnv("worker-agent", { nodeId: "node-2" }))).close();
    expect(platform.agents.map(({ nodeId }) => nodeId)).toEqual(["node-1", "node-2"]);
  });

  it("refuses a node name that would leave the folder, and a node that was never added", async () => {
    await expect(platform.addAgent("../x")).rejects.toThrow(/nodeId/);
    expect(() => platform.serviceEnv("worker-agent", { nodeId: "node-9" })).toThrow(/node-9/);
  });

  it("keeps the bus's port over a SIGKILL and a restart", async () => {
    await servers.nats.kill("SIGKILL");
    expect(servers.nats.pid()).toBeUndefined();
    await servers.nats.restart();
    await (await busOf(platform.serviceEnv("scheduler"))).close();
  });
});
