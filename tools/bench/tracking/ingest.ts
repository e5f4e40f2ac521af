import { join } from "node:path";
import { randomNumbers, writeRankFile } from "@trainyard/test/tracking/rank-file.ts";
import { startStage, type TrackingStage } from "@trainyard/test/tracking/stage.ts";
import { testLogger, waitFor } from "@trainyard/testing";
import { MetricPump } from "@trainyard/worker-agent";
import { type Bench, type Measurement, median } from "../result.ts";

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
  about: "durable points a second: ranks' files through the agent's pumps, batches by gRPC",
  async run(say): Promise<readonly Measurement[]> {
    const stage = await startStage({ env: { NODE_OPTIONS: process.env.TRAINYARD_BENCH_NODE_OPTIONS ?? "" } });
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
        {
          metric: "telemetry_points_per_second",
          unit: "points/s",
          value: median(telemetry),
          samples: telemetry,
          aim: { op: ">=", value: 300_000 },
        },
        {
          metric: "grpc_points_per_second",
          unit: "points/s",
          value: median(grpc),
          samples: grpc,
          aim: { op: ">=", value: 150_000 },
        },
      ];
    } finally {
      await stage.stop();
    }
  },
};

/** From the first read of the files until tracking says that all of each is stored. */
async function telemetryRound(stage: TrackingStage, seed: number): Promise<number> {
  const runId = await stage.openRun();
  const paths = Array.from({ length: RANKS }, (_, rank) => join(stage.dir, `records-${seed}-${rank}.bin`));
  const sizes = paths.map((path, rank) => writeRankFile(path, STEPS, KEYS, seed * 100 + rank));
  const source = { ended: () => true, signal: new AbortController().signal };
  const from = performance.now();
  const pumps = paths.map(
    (path, rank) =>
      new MetricPump({
        of: { project: "default", runId, attempt: 1, rank },
        path,
        from: 0,
        publisher: stage.publisher,
        source,
        observe: () => undefined,
        logger: testLogger("bench"),
      }),
  );
  await Promise.all(pumps.map((pump) => pump.run()));
  await waitFor(
    "everything to be stored",
    async () => {
      const { ranks } = await stage.agent.getTelemetryOffsets({ runId, attempt: 1 });
      return sizes.every((size, rank) =>
        ranks.some((each) => each.rank === rank && Number(each.records) === size),
      );
    },
    { timeoutMs: 120_000, intervalMs: 10 },
  );
  const seconds = (performance.now() - from) / 1_000;
  await Promise.all(pumps.map((pump) => pump.close()));
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
