import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { checkoutRoot, preparePlatform } from "@trainyard/local";
import { mlflowBin, startMlflowServer } from "../mlflow/mlflow-server.ts";
import { startUp } from "../start-up.ts";
import { type Bench, type Measurement, median, quantile } from "./result.ts";
import { startPeer } from "./start-peer.ts";

const run = promisify(execFile);
const ROUNDS = 5;
const CALLS = 400;

interface Figures {
  readonly version: string;
  /** Milliseconds of each call, by server. */
  readonly samples: Readonly<Record<"trainyard" | "mlflow" | "insert" | "nothing", readonly number[]>>;
}

/** What a synchronous log_metric of MLflow's client costs whoever calls it. */
export const logMetricBench: Bench = {
  name: "log-metric",
  about:
    "MLflow client's synchronous log_metric here, on MLflow's server, on a server of one durable insert, and on one that does nothing",
  async run(say): Promise<readonly Measurement[]> {
    const dir = mkdtempSync(join(tmpdir(), "trainyard-bench-"));
    const stops: (() => Promise<unknown>)[] = [];
    try {
      say("starting a platform, MLflow's server, one of one durable insert, and one that does nothing");
      mkdirSync(join(dir, "mlflow"));
      const platform = await startUp(join(dir, "platform"), ["--ports", "free", "--no-agent"]);
      stops.push(platform.stop);
      const mlflow = await startMlflowServer(join(dir, "mlflow"));
      stops.push(mlflow.stop);
      const folder = await preparePlatform(join(dir, "platform"));
      const insert = await startPeer("insert-server.ts", folder.serviceEnv("tracking"));
      stops.unshift(insert.stop);
      const nothing = await startPeer("nothing-server.ts");
      stops.push(nothing.stop);
      const { submitter } = platform.tokens;
      say(`${ROUNDS} rounds of ${CALLS} calls on each`);
      const { stdout } = await run(
        mlflowBin("python"),
        [
          join(checkoutRoot, "tools/bench/peers/log_metric.py"),
          ...[String(ROUNDS), String(CALLS)],
          ...[`trainyard=${platform.url}`, `mlflow=${mlflow.url}`],
          ...[`insert=${insert.url}`, `nothing=${nothing.url}`],
        ],
        // By the environment: who lists processes sees their arguments.
        { cwd: dir, maxBuffer: 64 * 1024 * 1024, env: { ...process.env, MLFLOW_TRACKING_TOKEN: submitter } },
      );
      return measurements(JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Figures);
    } finally {
      await Promise.all(stops.map((stop) => stop()));
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

function measurements({ version, samples }: Figures): readonly Measurement[] {
  const { trainyard, mlflow, insert, nothing } = samples;
  const peer = (value: number) => ({ name: "mlflow", version, value });
  return [
    {
      metric: "log_metric_p50",
      unit: "ms",
      value: median(trainyard),
      peer: peer(median(mlflow)),
      aim: { op: "<=", value: 2 * median(nothing) },
    },
    {
      metric: "log_metric_p99",
      unit: "ms",
      value: quantile(trainyard, 0.99),
      peer: peer(quantile(mlflow, 0.99)),
      aim: { op: "<", value: 10 },
    },
    { metric: "one_insert_p50", unit: "ms", value: median(insert) },
    { metric: "one_insert_p99", unit: "ms", value: quantile(insert, 0.99) },
    { metric: "nothing_p50", unit: "ms", value: median(nothing) },
    { metric: "nothing_p99", unit: "ms", value: quantile(nothing, 0.99) },
  ];
}
