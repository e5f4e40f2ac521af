/** A service answers JSON, too: whoever asks with curl. */
import { tracking } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { testSigner } from "@trainyard/testing";
import { expect, it } from "vitest";
import { clientOf, startTracking } from "./test-service.ts";

/** A copy, since views of numbers must begin at a multiple of their size. */
const bufferOf = (bytes: Uint8Array = new Uint8Array()) => Uint8Array.from(bytes).buffer;

it("a whole series is the same as JSON, in bytes, and as columns", async () => {
  const service = await startTracking();
  const runs = await clientOf(tracking.RunService, service.app.server.url, "user");
  const metrics = await service.metrics();
  const { run } = await runs.createRun({ requestId: newId("req"), experiment: "as JSON" });
  const points = { steps: [-3n, 70n], timesMs: [1_000, 2_000], values: [Number.NaN, 0.5] };
  const runIds = [run?.id ?? ""];
  await metrics.logMetrics({
    runId: run?.id ?? "",
    namedByPoints: true,
    points: { keys: ["loss"], keyIndex: [0, 0], ...points },
  });
  const { series } = await metrics.getSeries({ runIds, keys: ["loss"] });
  expect(series[0]?.points).toMatchObject(points);
  const asJson = async (more: object) => {
    const answer = await fetch(`${service.app.server.url}/trainyard.tracking.v1.MetricService/GetSeries`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: `Bearer ${await (await testSigner("user")).selfToken()}`,
      },
      body: JSON.stringify({ runIds, keys: ["loss"], ...more }),
    });
    return (await answer.json()) as { series: unknown[] };
  };
  expect(await asJson({})).toMatchObject({
    series: [{ points: { steps: ["-3", "70"], timesMs: [1_000, 2_000], values: ["NaN", 0.5] } }],
  });

  const [asked] = (await metrics.getSeries({ runIds, keys: ["loss"], asColumns: true })).series;
  expect(asked?.points).toBeUndefined();
  const { steps, timesMs, values } = asked?.columns ?? {};
  expect([...new BigInt64Array(bufferOf(steps))]).toEqual(points.steps);
  expect([...new Float64Array(bufferOf(timesMs))]).toEqual(points.timesMs);
  expect([...new Float64Array(bufferOf(values))]).toEqual(points.values);
  const base64 = (bytes: Uint8Array = new Uint8Array()) => Buffer.from(bytes).toString("base64");
  expect((await asJson({ asColumns: true })).series).toEqual([
    {
      ...{ runId: runIds[0], key: "loss" },
      columns: { steps: base64(steps), timesMs: base64(timesMs), values: base64(values) },
    },
  ]);
});
