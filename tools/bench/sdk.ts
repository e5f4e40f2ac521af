import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { checkoutRoot, findPython } from "@trainyard/local";
import type { Bench, Measurement } from "./result.ts";

const run = promisify(execFile);
const script = join(checkoutRoot, "tools/bench/peers/sdk_log.py");
const CALLS = { trainyard: 200_000, mlflow: 5_000 } as const;

interface Figures {
  readonly p50: number;
  readonly p99: number;
  readonly version: string;
}

/** What a call of the SDK's hot path costs the training loop. */
export const sdkBench: Bench = {
  name: "sdk",
  about: "run.log of one scalar as the training loop pays for it, beside MLflow's asynchronous log_metric",
  async run(say): Promise<readonly Measurement[]> {
    say(`${CALLS.trainyard} calls of run.log`);
    const own = await measured("trainyard", findPython());
    say(`${CALLS.mlflow} asynchronous calls of mlflow.log_metric`);
    const peer = await measured("mlflow", join(checkoutRoot, ".cache/mlflow/bin/python"));
    const { version } = peer;
    return [
      {
        metric: "log_p50",
        unit: "µs",
        value: own.p50,
        peer: { name: "mlflow", version, value: peer.p50 },
        aim: { op: "<", value: 5 },
      },
      {
        metric: "log_p99",
        unit: "µs",
        value: own.p99,
        peer: { name: "mlflow", version, value: peer.p99 },
        aim: { op: "<", value: 50 },
      },
    ];
  },
};

async function measured(tool: keyof typeof CALLS, python: string): Promise<Figures> {
  const dir = mkdtempSync(join(tmpdir(), "trainyard-bench-"));
  try {
    const { stdout } = await run(python, [script, tool, dir, String(CALLS[tool])], {
      env: { PATH: process.env.PATH ?? "", HOME: dir, PYTHONPATH: join(checkoutRoot, "sdk/python") },
    });
    // The script's own line; a tool may print before it.
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Figures;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
