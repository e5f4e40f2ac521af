import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { TrackingStage } from "@trainyard/test/tracking/stage.ts";
import { startMlflowServer } from "../../mlflow/mlflow-server.ts";
import { type Measurement, median, quantile } from "../result.ts";
import { readHistories } from "./mlflow-client.ts";
import { packed, storeRun } from "./stored-run.ts";

const LONG = 1_000_000;
const BUCKETS = 2_000;
const HISTORY = 100_000;
const CALLS = 60;
/** A 95th percentile of fewer is their worst. */
const READS = 60;
const PEER_READS = 5;

/** A million points to a chart, and a whole history, beside MLflow's server for what it can do. */
export async function measureSeriesQueries(
  stage: TrackingStage,
  say: (line: string) => void,
): Promise<readonly Measurement[]> {
  say(`a series of ${LONG} points, and one of ${HISTORY}`);
  const long = await storedSeries(stage, LONG);
  const short = await storedSeries(stage, HISTORY);
  say(`${BUCKETS} buckets of the whole, and of halves of it`);
  const charts = await timed(CALLS, () => chart(stage, long, 0, LONG));
  const halves = await timed(CALLS, (n) => chart(stage, long, (n * 7_919) % (LONG / 2), LONG / 2));
  const histories = await timed(READS, () => historyAsColumns(stage, short));
  const lists = await timed(READS, () => historyAsLists(stage, short));
  say("the same history in MLflow's server");
  const home = join(stage.dir, "mlflow-series");
  mkdirSync(home);
  const server = await startMlflowServer(home);
  try {
    const peer = await readHistories(server.url, { points: HISTORY, reads: PEER_READS });
    const theirs = median(peer.samples);
    return [
      {
        metric: "series_million_to_2000_buckets_p95",
        unit: "ms",
        value: quantile(charts, 0.95),
        samples: charts,
        aim: { op: "<", value: 100 },
      },
      {
        // Its blocks are too wide for the buckets, so points are read; those of most chunks are remembered from the chart before.
        metric: "series_half_a_million_to_2000_buckets_p95",
        unit: "ms",
        value: quantile(halves, 0.95),
        samples: halves,
        aim: { op: "<", value: 100 },
      },
      {
        metric: "history_100000_points_p95",
        unit: "ms",
        value: quantile(histories, 0.95),
        samples: histories,
        peer: { name: "mlflow server (SQLite)", version: peer.version, value: quantile(peer.samples, 0.95) },
        aim: { op: "<", value: 100 },
      },
      {
        // A number of the protocol for each step, time and value, which this process makes an object each of.
        metric: "history_100000_points_as_lists_p95",
        unit: "ms",
        value: quantile(lists, 0.95),
        samples: lists,
      },
      {
        metric: "history_times_faster_than_peer",
        unit: "x",
        value: theirs / median(histories),
        aim: { op: ">=", value: 20 },
      },
    ];
  } finally {
    await server.stop();
  }
}

async function storedSeries(stage: TrackingStage, steps: number): Promise<string> {
  const { runId } = await storeRun(stage, { ranks: 1, steps, keys: ["loss"], seed: steps });
  await packed(stage, runId);
  return runId;
}

async function chart(stage: TrackingStage, runId: string, minStep: number, steps: number): Promise<void> {
  const { series } = await stage.metrics.getSeries({
    runIds: [runId],
    keys: ["loss"],
    buckets: BUCKETS,
    minStep: BigInt(minStep),
    maxStep: BigInt(minStep + steps),
  });
  const buckets = series[0]?.buckets?.counts.length ?? 0;
  if (buckets !== BUCKETS) throw new Error(`${buckets} buckets, expected ${BUCKETS}`);
}

/** As a notebook or a page reads it, into arrays of numbers. */
async function historyAsColumns(stage: TrackingStage, runId: string): Promise<void> {
  const { series } = await stage.metrics.getSeries({ runIds: [runId], keys: ["loss"], asColumns: true });
  const { steps, timesMs, values } = series[0]?.columns ?? {};
  const arrays = [BigInt64Array, Float64Array, Float64Array].map(
    (Numbers, n) => new Numbers(Uint8Array.from([steps, timesMs, values][n] ?? []).buffer),
  );
  if (arrays.some(({ length }) => length !== HISTORY)) throw new Error("points are missing");
}

async function historyAsLists(stage: TrackingStage, runId: string): Promise<void> {
  const { series } = await stage.metrics.getSeries({ runIds: [runId], keys: ["loss"] });
  const points = series[0]?.points?.values.length ?? 0;
  if (points !== HISTORY) throw new Error(`${points} points, ${HISTORY} were logged`);
}

/** Milliseconds of each call, after one that warms up. */
async function timed(calls: number, call: (n: number) => Promise<void>): Promise<number[]> {
  await call(0);
  const samples: number[] = [];
  for (let n = 1; n <= calls; n++) {
    const from = performance.now();
    await call(n);
    samples.push(performance.now() - from);
  }
  return samples;
}
