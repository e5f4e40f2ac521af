import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { checkoutRoot, findPython } from "@trainyard/local";
import { type Bench, type Measurement, median } from "./result.ts";

const ROUNDS = 10;
const run = promisify(execFile);

interface Figures {
  readonly first: number;
  readonly stalls: readonly number[];
  readonly saves: readonly number[];
  readonly step: number;
  readonly stepWhileWriting: number;
  readonly version: string;
}

/** What a checkpoint costs the training loop. */
export const checkpointBench: Bench = {
  name: "checkpoint",
  about:
    "how long the loop stands still for a checkpoint of 500 MB, beside torch.save, and its steps while it is written",
  async run(say): Promise<readonly Measurement[]> {
    say(`${ROUNDS} checkpoints, alternating with torch.save`);
    const dir = mkdtempSync(join(tmpdir(), "trainyard-bench-"));
    try {
      const { stdout } = await run(
        findPython(),
        [join(checkoutRoot, "tools/bench/peers/checkpoint_stall.py"), dir, String(ROUNDS)],
        { env: { PATH: process.env.PATH ?? "", HOME: dir, PYTHONPATH: join(checkoutRoot, "sdk/python") } },
      );
      return report(JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Figures);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

function report(figures: Figures): readonly Measurement[] {
  const stall = median(figures.stalls);
  const save = median(figures.saves);
  return [
    {
      metric: "loop_stall",
      unit: "s",
      value: stall,
      samples: figures.stalls,
      peer: { name: "torch.save", version: figures.version, value: save },
    },
    {
      metric: "stall_share_of_torch_save",
      unit: "%",
      value: (100 * stall) / save,
      aim: { op: "<", value: 20 },
    },
    { metric: "first_stall", unit: "s", value: figures.first },
    {
      metric: "step_slower_while_writing",
      unit: "%",
      value: 100 * (figures.stepWhileWriting / figures.step - 1),
    },
  ];
}
