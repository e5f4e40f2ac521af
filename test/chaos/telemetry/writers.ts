import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { newId } from "@trainyard/domain";
import { fromConnectError } from "@trainyard/service";
import { testLogger } from "@trainyard/testing";
import { MetricPump, TelemetryBundler } from "@trainyard/worker-agent";
import { metricsFrame } from "../../tracking/rank-file.ts";
import type { TrackingStage } from "../../tracking/stage.ts";
import { type LoggedPoint, pointsOf, take } from "./logged-point.ts";

/** One run that logs until it is told to stop. */
export interface Writer {
  readonly runId: string;
  /** What it has logged. */
  readonly logged: readonly LoggedPoint[];
  /** Resolves when it has logged its last and all of it was confirmed. */
  finish(): Promise<void>;
}

/** How long a run computes between two logs. */
const STEP_MS = 100;
/** How long what was logged may take to be confirmed once nothing dies any more. */
const CONFIRM_MS = 120_000;
const RETRY_MS = 500;

/** A rank under an agent: appends records to its file, which a pump ships; done when tracking has confirmed the whole file. */
export async function rankWriter(stage: TrackingStage, seed: number): Promise<Writer> {
  const runId = await stage.openRun();
  const path = join(stage.dir, `${runId}.bin`);
  const file = openSync(path, "a");
  const logged: LoggedPoint[] = [];
  const points = pointsOf(seed);
  const end = { asked: false, written: false };
  let bytes = 0;
  const attempt = { project: "default", runId, attempt: 1 };
  const { signal } = new AbortController();
  const pump = new MetricPump({
    of: { ...attempt, rank: 0 },
    path,
    from: 0,
    bundler: new TelemetryBundler(attempt, stage.publisher, signal),
    source: { ended: () => end.written, isFollowed: () => true, signal },
    observe: () => undefined,
    logger: testLogger("chaos"),
  });
  const pumping = pump.run();
  const writing = (async () => {
    while (!end.asked) {
      for (const point of take(points, 4)) {
        const frame = metricsFrame(Date.now(), point.step, new Map([[point.key, point.value]]));
        writeSync(file, frame);
        bytes += frame.length;
        logged.push(point);
      }
      await delay(STEP_MS);
    }
    closeSync(file);
    end.written = true;
  })();
  return {
    runId,
    logged,
    async finish() {
      end.asked = true;
      await writing;
      await pumping;
      const deadline = performance.now() + CONFIRM_MS;
      for (;;) {
        const { ranks } = await stage.agent.getTelemetryOffsets({ runId, attempt: 1 });
        if (Number(ranks[0]?.records ?? 0) === bytes) break;
        if (performance.now() > deadline) throw new Error(`${runId}: not confirmed in ${CONFIRM_MS} ms`);
        await delay(RETRY_MS);
      }
      await pump.close();
    },
  };
}

/** An outside client: logs by calls, which an id or their points name, and calls again with the same until it is answered. */
export async function callWriter(
  stage: TrackingStage,
  seed: number,
  namedBy: "id" | "points",
): Promise<Writer> {
  const { run } = await stage.runs.createRun({ requestId: newId("req"), experiment: "chaos" });
  const runId = run?.id ?? "";
  const logged: LoggedPoint[] = [];
  const points = pointsOf(seed);
  let asked = false;
  const writing = (async () => {
    while (!asked) {
      const batch = take(points, 4);
      await logUntilAnswered(stage, runId, batch, namedBy);
      logged.push(...batch);
      await delay(STEP_MS);
    }
  })();
  // Looked at when it is asked to finish; until then it must not end the process.
  writing.catch(() => undefined);
  return {
    runId,
    logged,
    async finish() {
      asked = true;
      await writing;
    },
  };
}

/** What a client may see of a server that dies under its call. */
const outage = new Set(["unavailable", "aborted", "deadline_exceeded", "canceled"]);

async function logUntilAnswered(
  stage: TrackingStage,
  runId: string,
  batch: readonly LoggedPoint[],
  namedBy: "id" | "points",
): Promise<void> {
  const keys = [...new Set(batch.map(({ key }) => key))];
  const request = {
    ...(namedBy === "id" ? { requestId: newId("req") } : { namedByPoints: true }),
    runId,
    points: {
      keys,
      keyIndex: batch.map(({ key }) => keys.indexOf(key)),
      steps: batch.map(({ step }) => BigInt(step)),
      timesMs: batch.map(() => Date.now()),
      values: batch.map(({ value }) => value),
    },
  };
  for (;;) {
    try {
      await stage.metrics.logMetrics(request);
      return;
    } catch (error) {
      if (!outage.has(fromConnectError(error).code)) throw error;
      await delay(RETRY_MS);
    }
  }
}
