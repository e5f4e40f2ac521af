import { setTimeout as delay } from "node:timers/promises";
import { newId } from "@trainyard/domain";
import { type Mongod, startMongod } from "@trainyard/local";
import { atFileEnd, tempDir, testLogger, testStore } from "@trainyard/testing";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { StoreOpenError } from "./errors.ts";
import { openStore } from "./open-store.ts";

interface Account {
  _id: string;
  total: number;
}

let mongod: Mongod;
beforeAll(async () => {
  mongod = await startMongod({ dir: tempDir("mongod"), dieWithParent: true });
  atFileEnd(() => mongod.kill("SIGKILL"));
});

it("applies every one of many contended transactions once", async () => {
  const store = await testStore();
  const accounts = store.collection<Account>("accounts");
  await accounts.insertOne({ _id: "a", total: 0 });
  await Promise.all(
    Array.from({ length: 30 }, () =>
      store.transaction("add", async ({ session }) => {
        const account = await accounts.findOne({ _id: "a" }, { session });
        await accounts.updateOne({ _id: "a" }, { $set: { total: (account?.total ?? 0) + 1 } }, { session });
      }),
    ),
  );
  expect(await accounts.findOne({ _id: "a" })).toEqual({ _id: "a", total: 30 });
});

it("leaves nothing behind when the function throws", async () => {
  const store = await testStore();
  const accounts = store.collection<Account>("accounts");
  const failing = store.transaction("fail", async ({ session }) => {
    await accounts.insertOne({ _id: "b", total: 1 }, { session });
    throw new RangeError("no");
  });
  await expect(failing).rejects.toThrow(RangeError);
  expect(await accounts.countDocuments()).toBe(0);
});

it("loses no acknowledged transaction and doubles none when mongod is killed under writers", async () => {
  const store = await openStore({ uri: mongod.rootUri, database: "killed", logger: testLogger() });
  onTestFinished(() => store.close());
  const accounts = store.collection<Account>("accounts");
  const entries = store.collection<{ _id: string; account: string }>("entries");
  const writers = Array.from({ length: 10 }, (_, n) => `w${n}`);
  await accounts.insertMany(writers.map((_id) => ({ _id, total: 0 })));
  const acknowledged = new Map(writers.map((writer) => [writer, 0]));
  let writing = true;
  let errors = 0;

  const write = async (writer: string) => {
    while (writing) {
      const entry = newId("req");
      try {
        await store.transaction("credit", async ({ session }) => {
          // The function's own effect, recognised by the id that its caller made.
          if ((await entries.findOne({ _id: entry }, { session })) !== null) return;
          await entries.insertOne({ _id: entry, account: writer }, { session });
          await accounts.updateOne({ _id: writer }, { $inc: { total: 1 } }, { session });
        });
        acknowledged.set(writer, (acknowledged.get(writer) ?? 0) + 1);
      } catch {
        errors++;
      }
    }
  };
  const running = writers.map(write);
  for (let kill = 0; kill < 3; kill++) {
    await delay(300); // Load between the kills, not a wait for something.
    await mongod.kill("SIGKILL");
    await mongod.restart();
  }
  writing = false;
  await Promise.all(running);

  expect(errors).toBe(0);
  for (const writer of writers) {
    const total = (await accounts.findOne({ _id: writer }))?.total;
    expect(total).toBe(acknowledged.get(writer));
    expect(await entries.countDocuments({ account: writer })).toBe(total);
  }
});

it("names the server and not the password when it cannot be opened", async () => {
  const opening = openStore({
    uri: mongod.rootUri.replace(/:[^:@]+@/, ":wrong-password@"),
    database: "x",
    logger: testLogger(),
  });
  const error = await opening.catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(StoreOpenError);
  expect(String(error)).toContain(`127.0.0.1:${mongod.port}`);
  expect(String(error)).not.toContain("wrong-password");
});
