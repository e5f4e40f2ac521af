import { testStore } from "@trainyard/testing";
import { expect, it } from "vitest";
import { ensureIndexes } from "./indexes.ts";
import { type Migration, runMigrations } from "./migrations.ts";

const raise = (id: string): Migration => ({
  id,
  up: async (db) => {
    await db
      .collection<{ _id: string }>("log")
      .updateOne({ _id: id }, { $inc: { ran: 1 } }, { upsert: true });
  },
});

it("runs each migration once, in order, however many processes start together", async () => {
  const store = await testStore();
  const migrations = [raise("1-first"), raise("2-second")];
  const ran = await Promise.all(
    ["a", "b", "c"].map((holder) => runMigrations(store, migrations, { holder })),
  );
  expect(ran.flat()).toEqual(["1-first", "2-second"]);
  expect(await store.collection("log").find().sort({ _id: 1 }).toArray()).toEqual([
    { _id: "1-first", ran: 1 },
    { _id: "2-second", ran: 1 },
  ]);
});

it("runs what is new and again what failed", async () => {
  const store = await testStore();
  let broken = true;
  const fragile: Migration = {
    id: "2-fragile",
    up: () => (broken ? Promise.reject(new RangeError("no")) : Promise.resolve()),
  };
  const options = { holder: "a" };
  await expect(runMigrations(store, [raise("1-first"), fragile], options)).rejects.toThrow(RangeError);
  broken = false;
  expect(await runMigrations(store, [raise("1-first"), fragile], options)).toEqual(["2-fragile"]);
  expect(await runMigrations(store, [raise("1-first"), fragile], options)).toEqual([]);
});

it("builds an index again when its declaration changed", async () => {
  const store = await testStore();
  const spec = { collection: "jobs", name: "by_state", key: { project: 1, state: 1 } } as const;
  await ensureIndexes(store, [spec]);
  await ensureIndexes(store, [spec]);
  await ensureIndexes(store, [{ ...spec, unique: true }]);
  const indexes = await store.collection("jobs").indexes();
  expect(indexes).toMatchObject([{ name: "_id_" }, { name: "by_state", unique: true }]);
});
