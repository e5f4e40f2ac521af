import { execFile, execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { create } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import { checkoutRoot, findPython } from "@trainyard/local";
import { type FlowClients, flowClients } from "@trainyard/test/flow/clients.ts";
import { bundle } from "@trainyard/test/flow/digits.ts";
import { waitFor } from "@trainyard/testing";
import { startUp } from "../start-up.ts";
import { descendants } from "./processes.ts";
import { type Bench, type Measurement, median } from "./result.ts";

const ROUNDS = 5;
const STEPS = 800;
/** Far more often than anybody would: every 15 minutes is the default. 0 is never. */
const CHECKPOINT_EVERY_SECONDS = Number(process.env.TRAINYARD_BENCH_CHECKPOINT_SECONDS ?? 5);
const SCRIPT = "overhead_steps.py";
const peers = join(checkoutRoot, "tools/bench/peers");
const run = promisify(execFile);

/** Where the ranks run, and where the platform does. */
interface Layout {
  readonly name: "separate" | "shared";
  readonly rankCores: string;
  readonly platformCores: string;
  readonly aim: number;
}

/** What the platform takes from a training that runs under it. */
export const overheadBench: Bench = {
  name: "overhead",
  about:
    "steps per second under the platform (metrics each step, checkpoints) and as bare ranks, on separate cores and sharing them",
  async run(say): Promise<readonly Measurement[]> {
    const last = availableParallelism() - 1;
    const all = Array.from({ length: last + 1 }, (_, core) => core).join(",");
    const layouts: readonly Layout[] = [
      { name: "separate", rankCores: String(last), platformCores: "0", aim: 1 },
      { name: "shared", rankCores: all, platformCores: all, aim: 4 },
    ];
    say(`a checkpoint every ${CHECKPOINT_EVERY_SECONDS} s (TRAINYARD_BENCH_CHECKPOINT_SECONDS)`);
    const dir = mkdtempSync(join(tmpdir(), "trainyard-bench-"));
    const platform = await startUp(join(dir, "platform"), ["--ports", "free"]);
    try {
      const user = flowClients(platform.url, platform.tokens.submitter);
      const code = await bundle(peers, [SCRIPT]);
      const job = { digest: await user.upload(code), sizeBytes: BigInt(code.length) };
      const results: Measurement[] = [];
      for (const layout of layouts) {
        holdTo(platform.pid, layout.platformCores);
        const own: number[] = [];
        const bare: number[] = [];
        for (let round = 1; round <= ROUNDS; round++) {
          say(`${layout.name} cores, round ${round} of ${ROUNDS}: bare, then on the platform`);
          bare.push(await bareRanks(layout));
          own.push(await onPlatform(user, job, layout));
        }
        results.push(...report(layout, own, bare));
      }
      return results;
    } finally {
      await platform.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

function report(layout: Layout, own: readonly number[], bare: readonly number[]): Measurement[] {
  // Each round's two runs stand beside each other in time, so their ratio is what is compared.
  const slower = own.map((value, round) => 100 * ((bare[round] ?? value) / value - 1));
  return [
    {
      metric: `${layout.name}_steps_per_second`,
      unit: "1/s",
      value: median(own),
      samples: own,
      peer: { name: "bare ranks", version: "torchrun", value: median(bare) },
    },
    {
      metric: `${layout.name}_slower`,
      unit: "%",
      value: median(slower),
      samples: slower,
      aim: { op: "<=", value: layout.aim },
    },
  ];
}

/** Has the platform's processes, with all their threads, run on these cores; the ranks choose their own. */
function holdTo(pid: number, cores: string): void {
  for (const one of descendants(pid)) {
    try {
      execFileSync("taskset", ["--all-tasks", "--pid", "--cpu-list", cores, String(one)], {
        stdio: "ignore",
      });
    } catch {
      // It ended meanwhile.
    }
  }
}

function stepsPerSecond(output: string): number {
  const found = /steps_per_second ([0-9.]+)/.exec(output)?.[1];
  if (found === undefined) throw new Error(`no figure in: ${output}`);
  return Number(found);
}

async function bareRanks({ rankCores }: Layout): Promise<number> {
  const torchrun = join(dirname(findPython()), "torchrun");
  const { stdout } = await run(torchrun, ["--standalone", "--nproc-per-node", "2", SCRIPT], {
    cwd: peers,
    env: {
      PATH: process.env.PATH ?? "",
      HOME: process.env.HOME ?? "/",
      OMP_NUM_THREADS: "1",
      STEPS: String(STEPS),
      CORES: rankCores,
    },
  });
  return stepsPerSecond(stdout);
}

async function onPlatform(
  user: FlowClients,
  code: { readonly digest: string; readonly sizeBytes: bigint },
  { rankCores }: Layout,
): Promise<number> {
  const spec = create(scheduler.JobSpecSchema, {
    name: "overhead",
    ranks: 2,
    slotsPerRank: 1,
    code,
    entrypoint: [SCRIPT],
    env: { STEPS: String(STEPS), CORES: rankCores },
    checkpoint: { everySeconds: BigInt(CHECKPOINT_EVERY_SECONDS), keep: 3 },
  });
  const { job } = await user.scheduler.submitJob({ requestId: randomUUID(), spec });
  const done = await waitFor(
    "the job's end",
    async () => {
      const { job: now } = await user.scheduler.getJob({ jobId: job?.id ?? "" });
      return now !== undefined && now.state >= scheduler.JobState.SUCCEEDED ? now : undefined;
    },
    { timeoutMs: 300_000, intervalMs: 500 },
  );
  if (done.state !== scheduler.JobState.SUCCEEDED)
    throw new Error(`the job failed: ${done.failure?.message}`);
  let output = "";
  for await (const { lines } of user.tracking.readLogs({ runId: done.runId }))
    output += `${lines.join("\n")}\n`;
  return stepsPerSecond(output);
}
