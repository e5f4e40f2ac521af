import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { checkoutRoot } from "@trainyard/local";
import { mlflowBin } from "../../mlflow/mlflow-server.ts";

const run = promisify(execFile);
const script = join(checkoutRoot, "tools/bench/peers/mlflow_points.py");

/** Points a second that MLflow's client gets rid of, in batches of 1,000, one after the other. */
export async function logBatches(
  uri: string,
  {
    calls,
    token = "",
    runId = "new",
  }: { readonly calls: number; readonly token?: string; readonly runId?: string },
): Promise<{ readonly value: number; readonly version: string }> {
  return measured(["log-batch", uri, String(calls), runId], token) as Promise<{
    value: number;
    version: string;
  }>;
}

/** Milliseconds of each read of a whole history, after logging it. */
export async function readHistories(
  uri: string,
  { points, reads, token = "" }: { readonly points: number; readonly reads: number; readonly token?: string },
): Promise<{ readonly samples: readonly number[]; readonly version: string }> {
  return measured(["history", uri, String(points), String(reads)], token) as Promise<{
    samples: number[];
    version: string;
  }>;
}

async function measured(args: readonly string[], token: string): Promise<unknown> {
  const { stdout } = await run(mlflowBin("python"), [script, ...args], {
    timeout: 600_000,
    env: {
      PATH: process.env.PATH ?? "",
      HOME: process.env.HOME ?? "/",
      ...(token === "" ? {} : { MLFLOW_TRACKING_TOKEN: token }),
    },
  });
  // The script's own line; the client may print before it.
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}
