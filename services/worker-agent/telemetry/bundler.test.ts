import { create, fromBinary } from "@bufbuild/protobuf";
import { workeragent } from "@trainyard/contracts";
import { expect, it } from "vitest";
import { type Offered, TelemetryBundler } from "./bundler.ts";

const of = { project: "default", runId: "run_1", attempt: 2 };
const { signal } = new AbortController();

const batch = (rank: number, bytes: number): Offered => ({
  batch: { case: "metrics", value: create(workeragent.MetricBatchSchema, { rank }) },
  id: `rank ${rank}`,
  bytes,
});

/** Which ranks each message holds that is published. */
function bundler(fails = false) {
  const messages: (number | undefined)[][] = [];
  const ids: string[] = [];
  const publish = async (subject: string, data: Uint8Array, msgId: string) => {
    expect(subject).toBe("telemetry.default.run_1.2.all.bundle");
    const { parts } = fromBinary(workeragent.TelemetryBundleSchema, data);
    messages.push(parts.map((part) => part.batch.value?.rank));
    ids.push(msgId);
    if (fails) throw new Error("the attempt is left");
  };
  return { messages, ids, bundler: new TelemetryBundler(of, { publish }, signal) };
}

it("publishes what is offered at one moment together, and the same ranges under the same id", async () => {
  const first = bundler();
  await Promise.all([0, 1, 2].map((rank) => first.bundler.publish(batch(rank, 10))));
  await first.bundler.publish(batch(3, 10));
  expect(first.messages).toEqual([[0, 1, 2], [3]]);
  const again = bundler();
  await Promise.all([0, 1, 2].map((rank) => again.bundler.publish(batch(rank, 10))));
  expect(again.ids[0]).toBe(first.ids[0]);
  expect(new Set(first.ids).size).toBe(2);
});

it("lets a full message wait for nothing, and puts what the bus would not take together into two", async () => {
  const { messages, bundler: full } = bundler();
  const sizes = [10, 900_000, 65_536, 10];
  await Promise.all(sizes.map((bytes, rank) => full.publish(batch(rank, bytes))));
  expect(messages).toEqual([[0], [1], [2], [3]]);
});

it("fails for each whose batch was in the message that failed", async () => {
  const { bundler: failing } = bundler(true);
  const outcomes = await Promise.allSettled([0, 1].map((rank) => failing.publish(batch(rank, 10))));
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
});
