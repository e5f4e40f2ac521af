import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { checkoutRoot, findPython } from "@trainyard/local";
import { machine } from "./machine.ts";
import { type Bench, type Measurement, median } from "./result.ts";

const run = promisify(execFile);
const script = join(checkoutRoot, "tools/bench/peers/feed_steps.py");
const ROUNDS = 3;
const SECONDS = 15;
const GPU_SECONDS = 300;

type Tool = "trainyard" | "torch";

interface Figures {
  readonly waitShare: number;
  readonly firstSeconds: number;
  readonly stepSeconds: number;
  readonly gpuPercent: number;
  readonly torch: string;
}

/** How much of a step a training loop waits for its data. */
export const feedBench: Bench = {
  name: "feed",
  about: "share of step time spent waiting for data, beside PyTorch's DataLoader on the same files",
  async run(say): Promise<readonly Measurement[]> {
    const dir = mkdtempSync(join(tmpdir(), "trainyard-bench-feed-"));
    try {
      say("writing 48,000 pictures as Parquet shards");
      await python(["make", dir]);
      const own: Figures[] = [];
      const peer: Figures[] = [];
      for (let round = 1; round <= ROUNDS; round += 1) {
        // As an attempt finds it: the first batch waits for its shards' Arrow files to be made.
        rmSync(join(dir, "arrow"), { recursive: true, force: true });
        say(`round ${round} of ${ROUNDS}: ${SECONDS} s of steps with each`);
        own.push(await steps("trainyard", dir, SECONDS, "cpu"));
        peer.push(await steps("torch", dir, SECONDS, "cpu"));
      }
      return [...onCpu(own, peer), await onGpu(dir, say)];
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

function onCpu(own: readonly Figures[], peer: readonly Figures[]): readonly Measurement[] {
  const version = peer[0]?.torch ?? "";
  const compared = (metric: string, unit: string, of: (figures: Figures) => number): Measurement => {
    const samples = own.map(of);
    const value = median(peer.map(of));
    return {
      metric,
      unit,
      value: median(samples),
      samples,
      peer: { name: "torch DataLoader", version, value },
    };
  };
  return [
    { ...compared("wait_share", "%", ({ waitShare }) => 100 * waitShare), aim: { op: "<", value: 5 } },
    compared("step", "ms", ({ stepSeconds }) => 1000 * stepSeconds),
    compared("first_batch", "s", ({ firstSeconds }) => firstSeconds),
  ];
}

/** The GPU's own word for how busy it is, over five minutes. */
async function onGpu(dir: string, say: (line: string) => void): Promise<Measurement> {
  const measured = { metric: "gpu_utilization", unit: "%", aim: { op: ">", value: 90 } } as const;
  if (machine().gpu === undefined) return { ...measured, value: 0, notRun: "there is no GPU here" };
  say(`${GPU_SECONDS} s of steps on the GPU with each`);
  const own = await steps("trainyard", dir, GPU_SECONDS, "cuda");
  const peer = await steps("torch", dir, GPU_SECONDS, "cuda");
  return {
    ...measured,
    value: own.gpuPercent,
    peer: { name: "torch DataLoader", version: peer.torch, value: peer.gpuPercent },
  };
}

async function steps(tool: Tool, dir: string, seconds: number, device: "cpu" | "cuda"): Promise<Figures> {
  const text = await python([tool, dir, String(seconds), device]);
  return JSON.parse(text.trim().split("\n").at(-1) ?? "") as Figures; // The script's own line.
}

async function python(args: readonly string[]): Promise<string> {
  const { stdout } = await run(findPython(), [script, ...args], {
    env: {
      PATH: process.env.PATH ?? "",
      HOME: process.env.HOME ?? "/",
      PYTHONPATH: join(checkoutRoot, "sdk/python"),
    },
  });
  return stdout;
}
