/** A service answers JSON, too: whoever asks with curl. */
import { tracking } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { testSigner } from "@trainyard/testing";
import { expect, it } from "vitest";
import { clientOf, startTracking } from "./test-service.ts";

it("a whole series is the same as JSON as in bytes", async () => {
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
  const answer = await fetch(`${service.app.server.url}/trainyard.tracking.v1.MetricService/GetSeries`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${await (await testSigner("user")).selfToken()}`,
    },
    body: JSON.stringify({ runIds, keys: ["loss"] }),
  });
  expect(await answer.json()).toMatchObject({
    series: [{ points: { steps: ["-3", "70"], timesMs: [1_000, 2_000], values: ["NaN", 0.5] } }],
  });
});
