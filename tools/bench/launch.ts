import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { scheduler } from "@trainyard/contracts";
import { checkoutRoot, findPython } from "@trainyard/local";
import { type FlowClients, flowClients } from "@trainyard/test/flow/clients.ts";
import { bundle } from "@trainyard/test/flow/digits.ts";
import { waitFor } from "@trainyard/testing";
import { askLauncher, readLauncherRecord } from "@trainyard/worker-agent";
import { startUp } from "../start-up.ts";
import { pssBytes } from "./processes.ts";
import { type Bench, type Measurement, median, quantile } from "./result.ts";

const ROUNDS = 5;
const WARM_PER_ROUND = 8;
const RANKS = 2;
const SCRIPT = "ddp_first_step.py";
const peers = join(checkoutRoot, "tools/bench/peers");
const run = promisify(execFile);

/** How long a user waits for the first step: from the call that submits (or the command that starts) to the step's end. */
export const launchBench: Bench = {
  name: "launch",
  about: "submit to first training step of a two-rank DDP job, warm and cold, beside torchrun",
  async run(say) {
    const dir = mkdtempSync(join(tmpdir(), "trainyard-bench-"));
    const platform = await startUp(join(dir, "platform"), ["--ports", "free"]);
    try {
      const user = flowClients(platform.url, platform.tokens.submitter);
      const code = await bundle(peers, [SCRIPT]);
      const job = { digest: await user.upload(code), sizeBytes: BigInt(code.length) };
      say("waiting for the launcher");
      const launcher = await idleLauncher(platform.dataDir);
      const memory = pssBytes([launcher.pid]);
      // The first one of each kind warms up code, connections and the page cache.
      await firstStep(user, job);
      const before = await launcher.jobs();
      const warm: number[] = [];
      const cold: number[] = [];
      const peer: number[] = [];
      for (let round = 1; round <= ROUNDS; round++) {
        say(`round ${round} of ${ROUNDS}: torchrun, cold, ${WARM_PER_ROUND} warm`);
        peer.push(await torchrunFirstStep());
        cold.push(await firstStep(user, job, scheduler.StartMode.COLD));
        for (let one = 0; one < WARM_PER_ROUND; one++) warm.push(await firstStep(user, job));
      }
      const warmStarts = (await launcher.jobs()) - before;
      if (warmStarts !== warm.length)
        throw new Error(`${warmStarts} of ${warm.length} warm jobs were forked from the launcher`);
      return report({ warm, cold, peer, memory, version: await torchVersion() });
    } finally {
      await platform.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

interface Samples {
  readonly warm: readonly number[];
  readonly cold: readonly number[];
  readonly peer: readonly number[];
  readonly memory: number;
  readonly version: string;
}

function report({ warm, cold, peer, memory, version }: Samples): readonly Measurement[] {
  const torchrun = { name: "torchrun", version, value: median(peer) };
  return [
    {
      metric: "warm_submit_to_first_step_p50",
      unit: "ms",
      value: median(warm),
      samples: warm,
      peer: torchrun,
      aim: { op: "<", value: 1_000 },
    },
    {
      metric: "warm_submit_to_first_step_p99",
      unit: "ms",
      value: quantile(warm, 0.99),
      aim: { op: "<", value: 2_000 },
    },
    {
      metric: "cold_submit_to_first_step_p50",
      unit: "ms",
      value: median(cold),
      samples: cold,
      peer: torchrun,
      aim: { op: "<=", value: median(peer) },
    },
    { metric: "torchrun_to_first_step_p50", unit: "ms", value: median(peer), samples: peer },
    { metric: "launcher_idle_pss", unit: "MiB", value: memory / 1024 ** 2 },
  ];
}

/** The launcher of the platform's node, once it serves. */
async function idleLauncher(dataDir: string) {
  const record = await waitFor(
    "the launcher",
    async () => {
      const file = globSync(join(dataDir, "**/launcher/launcher.json"))[0];
      const found = file === undefined ? undefined : await readLauncherRecord(dirname(file));
      return file === undefined || found === undefined ? undefined : { ...found, dir: dirname(file) };
    },
    { timeoutMs: 120_000, intervalMs: 100 },
  );
  return {
    pid: record.pid,
    async jobs() {
      const answer = await askLauncher(record.dir, record.socket, { ping: true }, 5_000);
      if (typeof answer !== "object" || answer === null || !("jobs" in answer))
        throw new Error("no launcher");
      return Number(answer.jobs);
    },
  };
}

/** Submits the job and returns how long its first step took from there, in milliseconds. */
async function firstStep(
  user: FlowClients,
  code: { readonly digest: string; readonly sizeBytes: bigint },
  start = scheduler.StartMode.WARM,
): Promise<number> {
  const spec = create(scheduler.JobSpecSchema, {
    name: "launch",
    ranks: RANKS,
    slotsPerRank: 1,
    code,
    entrypoint: [SCRIPT],
    start,
  });
  const from = Date.now();
  const { job } = await user.scheduler.submitJob({ requestId: randomUUID(), spec });
  const done = await waitFor(
    "the job's end",
    async () => {
      const { job: now } = await user.scheduler.getJob({ jobId: job?.id ?? "" });
      return now !== undefined && now.state >= scheduler.JobState.SUCCEEDED ? now : undefined;
    },
    { timeoutMs: 180_000, intervalMs: 200 },
  );
  const firstStepAt = done.attempts[0]?.firstStepAt;
  if (firstStepAt === undefined) throw new Error(`no first step: ${done.failure?.message}`);
  return timestampMs(firstStepAt) - from;
}

async function torchrunFirstStep(): Promise<number> {
  const torchrun = join(dirname(findPython()), "torchrun");
  const from = Date.now();
  const env = { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "/", OMP_NUM_THREADS: "1" };
  const ranks = ["--standalone", "--nproc-per-node", String(RANKS), SCRIPT];
  // Its ranks abort now and then while they end, long after the step that counts.
  const { stdout } = await run(torchrun, ranks, { cwd: peers, env }).catch((error: { stdout?: string }) => {
    if (error.stdout === undefined) throw error;
    return { stdout: error.stdout };
  });
  const at = /first_step_at ([0-9.]+)/.exec(stdout)?.[1];
  if (at === undefined) throw new Error(`torchrun told no first step: ${stdout}`);
  return Number(at) * 1_000 - from;
}

/** Of the environment that ranks and torchrun share. */
export async function torchVersion(): Promise<string> {
  const { stdout } = await run(findPython(), ["-c", "import torch.version as v; print(v.__version__)"]);
  return stdout.trim();
}
