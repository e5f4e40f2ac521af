import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MongoClient, MongoServerError } from "mongodb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Mongod, startMongod } from "./mongod.ts";
import { isRunning } from "./process-identity.ts";
import { runningServer } from "./server-process.ts";

const alice = { name: "alice", password: "alice's own", database: "wonderland" };
const bob = { name: "bob", password: "bob/p@ss:word", database: "builders" };

async function as<T>(uri: string, fn: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: 10_000 });
  try {
    return await fn(client);
  } finally {
    await client.close();
  }
}

describe("mongod on this machine", () => {
  const dir = mkdtempSync(join(tmpdir(), "trainyard-mongod-"));
  let mongod: Mongod;

  beforeAll(async () => {
    mongod = await startMongod({ dir, users: [alice, bob], dieWithParent: true });
  });

  afterAll(async () => {
    await mongod.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it("lets a user write its own database in a transaction", async () => {
    const found = await as(mongod.uriOf(alice), async (client) => {
      await client.withSession((session) =>
        session.withTransaction(async () => {
          await client.db().collection("cards").insertOne({ suit: "hearts" }, { session });
        }),
      );
      return client.db().collection("cards").countDocuments();
    });
    expect(found).toBe(1);
  });

  it("refuses a user another's database, to read and to write", async () => {
    await as(mongod.uriOf(bob), async (client) => {
      const other = client.db(alice.database).collection("cards");
      await expect(other.findOne()).rejects.toThrow(/not authorized/i);
      await expect(other.insertOne({})).rejects.toBeInstanceOf(MongoServerError);
    });
  });

  it("refuses whoever has no password, and one that is wrong", async () => {
    const anonymous = `mongodb://127.0.0.1:${mongod.port}/?replicaSet=rs0`;
    await as(anonymous, (client) =>
      expect(client.db(alice.database).collection("cards").findOne()).rejects.toThrow(
        /requires authentication/i,
      ),
    );
    await as(mongod.uriOf({ ...alice, password: "guess" }), (client) =>
      expect(client.db().collection("cards").findOne()).rejects.toThrow(/Authentication failed/i),
    );
  });

  it("keeps port and data over a SIGKILL and a restart", async () => {
    const port = mongod.port;
    await mongod.kill("SIGKILL");
    expect(mongod.pid()).toBeUndefined();
    await mongod.restart();
    expect(mongod.port).toBe(port);
    expect(await as(mongod.uriOf(alice), (client) => client.db().collection("cards").countDocuments())).toBe(
      1,
    );
  });

  it("takes over a folder whose server outlived its starter, and stops that server first", async () => {
    const orphan = runningServer(dir, "mongod");
    expect(orphan).toBeDefined();
    mongod = await startMongod({ dir, users: [alice, bob], dieWithParent: true });
    expect(orphan !== undefined && isRunning(orphan)).toBe(false);
    expect(await as(mongod.uriOf(alice), (client) => client.db().collection("cards").countDocuments())).toBe(
      1,
    );
  });
});
