import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { checkoutRoot } from "@trainyard/local";
import type { Seen } from "./compare-seen.ts";
import { mlflowBin } from "./mlflow-server.ts";

const run = promisify(execFile);

/** Runs every scenario of the parity check with MLflow's client against a server. */
export async function seeServer(url: string, token: string, dir: string, name: string): Promise<Seen> {
  const out = join(dir, `${name}.json`);
  await run(mlflowBin("python"), [join(checkoutRoot, "tools/mlflow/parity/run.py"), url, out], {
    cwd: dir,
    maxBuffer: 64 * 1024 * 1024,
    timeout: 600_000,
    env: { ...process.env, ...(token === "" ? {} : { MLFLOW_TRACKING_TOKEN: token }) },
  });
  return JSON.parse(await readFile(out, "utf8")) as Seen;
}
