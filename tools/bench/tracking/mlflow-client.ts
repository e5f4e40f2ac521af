import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { checkoutRoot } from "@trainyard/local";
import { mlflowBin } from "../../mlflow/mlflow-server.ts";

const run = promisify(execFile);
const script = join(checkoutRoot, "tools/bench/peers/mlflow_points.py");

/** A server as the script takes it; only `nothing` knows no runs. */
type Server = readonly [name: string, url: string];

/**
 * Points a second that one process with MLflow's client gets rid of at each of the servers, in batches of 1,000, one after the
 * other: so many calls to each in turn, so many times. All are shown the same token.
 */
export async function logBatches<S extends readonly Server[]>(
  servers: S,
  { turns, calls, token = "" }: { readonly turns: number; readonly calls: number; readonly token?: string },
): Promise<{
  readonly values: Readonly<Record<S[number][0], number>>;
  /** Sent to each, those before the clock began among them. */
  readonly points: number;
  readonly version: string;
}> {
  const args = servers.map((server) => server.join("="));
  return measured(["log-batch", String(turns), String(calls), ...args], token) as ReturnType<
    typeof logBatches<S>
  >;
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
