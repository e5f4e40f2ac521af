import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { randomNumbers } from "@trainyard/test/tracking/rank-file.ts";
import { startStage, type TrackingStage } from "@trainyard/test/tracking/stage.ts";
import { type Bench, type Measurement, median } from "../result.ts";
import { benchEnv } from "./bench-env.ts";
import { measureMlflowIngest } from "./ingest-mlflow.ts";
import { storeRun } from "./stored-run.ts";

const ROUNDS = 3;
const RANKS = 4;
const STEPS = 50_000;
const KEYS = ["train/loss", "train/accuracy", "train/grad_norm", "lr", "throughput"];
const CALLS = 120;
const POINTS_PER_CALL = 10_000;
const CALLS_AT_ONCE = 4;

/** Points a second that are durable, by each way in. */
export const ingestBench: Bench = {
  name: "ingest",
  about:
    "durable points a second: ranks' files through the agent's pumps, batches by gRPC, MLflow's client beside MLflow's server",
  async run(say): Promise<readonly Measurement[]> {
    const tokensFile = join(mkdtempSync(join(tmpdir(), "trainyard-bench-")), "tokens.json");
    const stage = await startStage({
      env: benchEnv(),
      beside: { gateway: { TRAINYARD_BOOTSTRAP_FILE: tokensFile } },
    });
    try {
      const telemetry: number[] = [];
      const grpc: number[] = [];
      for (let round = 1; round <= ROUNDS; round++) {
        say(`round ${round} of ${ROUNDS}: ${RANKS} ranks' files of ${STEPS * KEYS.length} points`);
        telemetry.push(await telemetryRound(stage, round));
        say(`round ${round} of ${ROUNDS}: ${CALLS} calls of ${POINTS_PER_CALL} points`);
        grpc.push(await callRound(stage));
      }
      return [
        perSecond("telemetry_points_per_second", telemetry, 300_000),
        perSecond("grpc_points_per_second", grpc, 150_000),
        ...(await measureMlflowIngest(stage, tokensFile, say)),
      ];
    } finally {
      await stage.stop();
      rmSync(dirname(tokensFile), { recursive: true, force: true });
    }
  },
};

function perSecond(metric: string, samples: readonly number[], aim: number): Measurement {
  return { metric, unit: "points/s", value: median(samples), samples, aim: { op: ">=", value: aim } };
}

/** From the first read of the files until tracking says that all of each is stored. */
async function telemetryRound(stage: TrackingStage, seed: number): Promise<number> {
  const { seconds } = await storeRun(stage, { ranks: RANKS, steps: STEPS, keys: KEYS, seed });
  return (RANKS * STEPS * KEYS.length) / seconds;
}

async function callRound(stage: TrackingStage): Promise<number> {
  const runId = await stage.openRun();
  const random = randomNumbers(7);
  const from = performance.now();
  let next = 0;
  const caller = async () => {
    for (let call = next++; call < CALLS; call = next++) {
      const steps = Array.from({ length: POINTS_PER_CALL }, (_, index) =>
        BigInt(call * POINTS_PER_CALL + index),
      );
      const points = {
        keys: KEYS,
        keyIndex: steps.map((_, index) => index % KEYS.length),
        steps,
        timesMs: steps.map((_, index) => 1_700_000_000_000 + index),
        values: steps.map(random),
      };
      await stage.metrics.logMetrics({ requestId: `${runId}.${call}`, runId, points });
    }
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, caller));
  return (CALLS * POINTS_PER_CALL) / ((performance.now() - from) / 1_000);
}
