import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { checkoutRoot } from "@trainyard/local";
import { mlflowBin, startMlflowServer } from "../../mlflow/mlflow-server.ts";
import type { SeedSize } from "./seed-runs.ts";

/** MLflow's own server with as many runs and metrics. */
export interface MlflowRuns {
  readonly version: string;
  /** One page of a search, read to its end. */
  search(request: Readonly<Record<string, unknown>>): Promise<void>;
  stop(): Promise<void>;
}

const PAGE = 100;

/** Starts it on a SQLite database that is filled beside it, as the server itself would fill it. */
export async function startMlflowRuns(
  dir: string,
  { runs, metrics }: SeedSize,
  say: (line: string) => void,
): Promise<MlflowRuns> {
  const home = join(dir, "mlflow");
  mkdirSync(home);
  say("the same in MLflow's server");
  const server = await startMlflowServer(home);
  const script = join(checkoutRoot, "tools/bench/peers/mlflow_seed_runs.py");
  const args = [script, join(home, "mlflow.db"), String(runs), String(metrics)];
  const { stdout } = await promisify(execFile)(mlflowBin("python"), args);
  const [experiment, version] = stdout.trim().split(" ");
  return {
    version: version ?? "",
    async search(request) {
      const answer = await fetch(`${server.url}/api/2.0/mlflow/runs/search`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ experiment_ids: [experiment], max_results: PAGE, ...request }),
      });
      const body = (await answer.json()) as { readonly runs?: readonly unknown[] };
      if (!answer.ok || body.runs === undefined || body.runs.length === 0) {
        throw new Error(`MLflow's server answered ${answer.status}: ${JSON.stringify(body).slice(0, 300)}`);
      }
    },
    stop: () => server.stop(),
  };
}
