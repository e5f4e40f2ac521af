import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { create as createMessage } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import { checkoutRoot, findPython } from "@trainyard/local";
import { create } from "tar";

const run = promisify(execFile);
export const digitsDir = join(checkoutRoot, "examples/digits");

/** The digits as one Parquet file, made by the example's own script. */
export async function digitsParquet(dir: string): Promise<Uint8Array> {
  const out = join(dir, "digits.parquet");
  await run(findPython(), [join(digitsDir, "make_data.py"), "--out", out]);
  return readFile(out);
}

/** A folder as a code bundle. */
export async function bundle(dir: string, files: readonly string[]): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of create({ cwd: dir, gzip: true, portable: true, mtime: new Date(0) }, [
    ...files,
  ])) {
    chunks.push(new Uint8Array(chunk));
  }
  return Buffer.concat(chunks);
}

/** How long the training of a test is. */
export interface ShortTraining {
  readonly epochs: number;
  readonly stepDelayMs: number;
  readonly checkpointEverySteps: number;
}

/** The digits job, short: the same two DDP ranks, fewer epochs. */
export function digitsSpec(codeDigest: string, sizeBytes: number, short: ShortTraining): scheduler.JobSpec {
  return createMessage(scheduler.JobSpecSchema, {
    name: "digits",
    experiment: "digits",
    ranks: 2,
    slotsPerRank: 1,
    code: { digest: codeDigest, sizeBytes: BigInt(sizeBytes) },
    entrypoint: ["train.py"],
    params: {
      lr: 0.1,
      epochs: short.epochs,
      hidden: 64,
      dropout: 0.1,
      batchSize: 32,
      batchNorm: true,
      stepDelayMs: short.stepDelayMs,
    },
    dataset: { name: "digits", version: "latest" },
    checkpoint: { everySteps: BigInt(short.checkpointEverySteps), keep: 3 },
    retries: 3,
    seed: 7n,
    model: { name: "digits", suite: "digits" },
  });
}
