import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { checkoutRoot } from "@trainyard/local";
import { waitFor } from "@trainyard/testing";

/** The programs of MLflow's own environment, which the set-up makes. */
export const mlflowBin = (name: string) => join(checkoutRoot, ".cache/mlflow/bin", name);

/** A running MLflow server. */
export interface MlflowServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts MLflow's own server on SQLite in a folder, without its background jobs, which log nothing and take long to start. */
export async function startMlflowServer(dir: string): Promise<MlflowServer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const store = [
    "--backend-store-uri",
    `sqlite:///${dir}/mlflow.db`,
    "--artifacts-destination",
    join(dir, "artifacts"),
  ];
  const child = spawn(
    mlflowBin("mlflow"),
    ["server", ...store, "--host", "127.0.0.1", "--port", String(port), "--workers", "1"],
    {
      cwd: dir,
      stdio: "ignore",
      detached: true,
      env: { ...process.env, MLFLOW_SERVER_ENABLE_JOB_EXECUTION: "false" },
    },
  );
  const exited = once(child, "exit");
  await waitFor(
    "MLflow's server",
    () =>
      fetch(`${url}/health`).then(
        ({ ok }) => ok,
        () => false,
      ),
    {
      timeoutMs: 240_000,
      intervalMs: 200,
    },
  );
  return {
    url,
    async stop() {
      // Its workers are in its group and would outlive it.
      if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, "SIGTERM");
      await exited;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("the system gave no port");
  return address.port;
}
