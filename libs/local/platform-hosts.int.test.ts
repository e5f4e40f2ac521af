import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { preparePlatform } from "./platform.ts";

const dir = mkdtempSync(join(tmpdir(), "trainyard-hosts-"));
const hosts = { scheduler: "sched.internal", nats: "bus.internal", mongod: "db.internal" };

afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("a platform whose parts run on other hosts", () => {
  it("names those hosts in URLs and the database's URI, and this machine for the rest", async () => {
    const platform = await preparePlatform(dir, { hosts, listenHost: "0.0.0.0" });
    const env = platform.serviceEnv("tracking");
    expect(env).toMatchObject({
      TRAINYARD_SCHEDULER_URL: "http://sched.internal:7071",
      TRAINYARD_GATEWAY_URL: "http://127.0.0.1:7070",
      TRAINYARD_NATS_URL: "nats://bus.internal:7422",
      TRAINYARD_LISTEN_HOST: "0.0.0.0",
    });
    expect(env.TRAINYARD_BLOB_URL).toBe(pathToFileURL(join(dir, "blobs")).href);
    const elsewhere = await preparePlatform(dir, { hosts, blobUrl: "s3://blobs" });
    expect(elsewhere.serviceEnv("tracking").TRAINYARD_BLOB_URL).toBe("s3://blobs");
    expect(env.TRAINYARD_MONGODB_URI).toContain("@db.internal:7717/");
  });

  it("keeps the hosts for those who open the folder without naming them", async () => {
    const again = await preparePlatform(dir);
    expect(again.natsUrl).toBe("nats://bus.internal:7422");
    expect(again.url("scheduler")).toBe("http://sched.internal:7071");
  });

  it("writes for servers that something else starts what they read", async () => {
    const platform = await preparePlatform(dir, { listenHost: "0.0.0.0" });
    await platform.writeServerFiles();
    expect(readFileSync(join(dir, "nats/nats.conf"), "utf8")).toContain("0.0.0.0:7422");
    expect(statSync(join(dir, "mongod/key")).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, "mongod/data")).isDirectory()).toBe(true);
  });

  it("is not written to by who only opens it, so that it can be mounted read-only", async () => {
    const files = ["ports.json", "hosts.json", "jwks.json", "secrets/gateway/key.json"];
    const state = () => files.map((file) => [file, statSync(join(dir, file)).ino]);
    const before = state();
    (await preparePlatform(dir)).serviceEnv("gateway");
    expect(state()).toEqual(before);
  });
});
