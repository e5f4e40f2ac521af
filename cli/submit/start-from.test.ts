import { newId } from "@trainyard/domain";
import { expect, it } from "vitest";
import { startFromText } from "./start-from.ts";

it("reads a run, and a run at a step", () => {
  const runId = newId("run");
  expect(startFromText(runId)).toMatchObject({ runId });
  expect(startFromText(runId).step).toBeUndefined();
  expect(startFromText(`${runId}@0`)).toMatchObject({ runId, step: 0n });
  expect(startFromText(`${runId}@1200`)).toMatchObject({ runId, step: 1200n });
});

it.each(["", "digits", "job_01h455vb4pex5vsknk084sn02q", "@3", "run_x@3"])("refuses %j", (text) => {
  expect(() => startFromText(text)).toThrow("--from: expected a run's id, or RUN@STEP");
});
