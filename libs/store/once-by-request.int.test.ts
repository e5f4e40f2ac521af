import { create } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import { testStore } from "@trainyard/testing";
import { expect, it } from "vitest";
import { messageAnswer, onceByRequest, type RequestKey } from "./once-by-request.ts";
import type { Store } from "./store.ts";

const key = { principal: "ann", method: "S/Submit", requestId: "r1", requestHash: "h1" };

/** A call whose effect is one more row; it answers with the row's number. */
function submit(store: Store, request: RequestKey<{ row: number }>): Promise<{ row: number }> {
  return store.transaction("submit", (tx) =>
    onceByRequest(tx, request, async () => {
      const rows = store.collection<{ number: number }>("rows");
      const number = await rows.countDocuments({}, { session: tx.session });
      await rows.insertOne({ number }, { session: tx.session });
      return { row: number };
    }),
  );
}

it("gives a repeated request its first answer, and takes no effect again", async () => {
  const store = await testStore();
  expect(await submit(store, key)).toEqual({ row: 0 });
  expect(await submit(store, key)).toEqual({ row: 0 });
  expect(await store.collection("rows").countDocuments()).toBe(1);
});

it("lets concurrent calls with one id take effect once and agree on the answer", async () => {
  const store = await testStore();
  const answers = await Promise.all(Array.from({ length: 8 }, () => submit(store, key)));
  expect(answers).toEqual(Array(8).fill({ row: 0 }));
  expect(await store.collection("rows").countDocuments()).toBe(1);
});

it("refuses an id that came with another body", async () => {
  const store = await testStore();
  await submit(store, key);
  await expect(submit(store, { ...key, requestHash: "h2" })).rejects.toMatchObject({
    code: "already_exists",
    reason: "REQUEST_ID_REUSED",
  });
});

it("keeps callers and methods apart", async () => {
  const store = await testStore();
  await submit(store, key);
  expect(await submit(store, { ...key, principal: "bob" })).toEqual({ row: 1 });
  expect(await submit(store, { ...key, method: "S/Cancel" })).toEqual({ row: 2 });
});

it("remembers nothing of a call that failed", async () => {
  const store = await testStore();
  const failing = store.transaction("x", (tx) =>
    onceByRequest(tx, key, () => Promise.reject(new RangeError("no"))),
  );
  await expect(failing).rejects.toThrow(RangeError);
  expect(await submit(store, key)).toEqual({ row: 0 });
});

it("keeps protobuf answers whole", async () => {
  const store = await testStore();
  const codec = messageAnswer(scheduler.NodeJoinedSchema);
  const answer = create(scheduler.NodeJoinedSchema, { nodeId: "node_1", slots: 4 });
  const call = () => store.transaction("x", (tx) => onceByRequest(tx, { ...key, codec }, async () => answer));
  await call();
  expect(await call()).toEqual(answer);
});
