import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { closeAll } from "./cleanup.ts";
import { tempDir } from "./temp-dir.ts";
import { testBus, testNats } from "./test-bus.ts";
import { testSigner, testVerifier } from "./test-keys.ts";
import { testStore } from "./test-store.ts";
import { waitFor } from "./wait-for.ts";

it("gives each caller an empty database of its own, in which transactions work", async () => {
  const one = await testStore();
  const two = await testStore();
  await one.transaction("write", async (tx) => {
    await one.collection("things").insertOne({ at: 1 }, { session: tx.session });
  });
  expect(await one.collection("things").countDocuments()).toBe(1);
  expect(await two.collection("things").countDocuments()).toBe(0);
});

it("connects to the file's own bus", async () => {
  const bus = await testBus();
  await bus.probe();
  expect((await testNats()).server.pid()).toBeDefined();
});

it("verifies what the file's services sign, and not what they may not assert", async () => {
  const verifier = await testVerifier();
  const gateway = await testSigner("gateway");
  const ada = { name: "ada", kind: "user", roles: ["submitter"] } as const;
  expect(await verifier.verify(await gateway.sign(ada, 60_000))).toMatchObject(ada);
  const tracking = await testSigner("tracking");
  await expect(verifier.verify(await tracking.sign(ada, 60_000))).rejects.toThrow();
});

it("tells at the deadline what was waited for and why it was not so", async () => {
  const never = () => {
    throw new Error("no answer");
  };
  await expect(waitFor("the answer", never, { timeoutMs: 50 })).rejects.toThrow(
    /50 ms for the answer: no answer/,
  );
});

it("closes what the file opened, newest first, also after one has failed", async () => {
  const folder = tempDir("closing");
  await closeAll();
  expect(existsSync(folder)).toBe(false);
});
