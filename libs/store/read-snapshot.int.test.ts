import { testStore } from "@trainyard/testing";
import { expect, it } from "vitest";

interface Account {
  _id: string;
  total: number;
}

it("reads at one moment, whatever is committed between the reads", async () => {
  const store = await testStore();
  const accounts = store.collection<Account>("accounts");
  await accounts.insertMany([
    { _id: "a", total: 1 },
    { _id: "b", total: 1 },
  ]);
  const seen = await store.snapshot(async (moment) => {
    const first = await accounts.findOne({ _id: "a" }, moment);
    await store.transaction("change", async ({ session }) => {
      await accounts.updateMany({}, { $inc: { total: 1 } }, { session });
      await accounts.insertOne({ _id: crypto.randomUUID(), total: 5 }, { session });
    });
    const second = await accounts.findOne({ _id: "b" }, moment);
    const [sum] = await accounts
      .aggregate<{ total: number }>([{ $group: { _id: null, total: { $sum: "$total" } } }], moment)
      .toArray();
    return [first?.total, second?.total, sum?.total];
  });
  expect(seen).toEqual([1, 1, 2]);
  const later = await store.snapshot((moment) => accounts.findOne({ _id: "b" }, moment));
  expect(later?.total).toBe(2);
});
