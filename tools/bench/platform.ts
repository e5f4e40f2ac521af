import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { dataset, scheduler } from "@trainyard/contracts";
import { flowClients } from "@trainyard/test/flow/clients.ts";
import { bundle, digitsDir, digitsParquet, digitsSpec } from "@trainyard/test/flow/digits.ts";
import { waitFor } from "@trainyard/testing";
import { type StartedPlatform, startUp } from "../start-up.ts";
import { measureEvents } from "./events.ts";
import { descendants, pssBytes } from "./processes.ts";
import { type Bench, type Measurement, median } from "./result.ts";

const STARTS = 3;
const SUBMITS = 3;
/** What a platform settles in before its idle memory is read. */
const IDLE_MS = 10_000;

/** What the platform costs a laptop, and what its paths cost an event and a job. */
export const platformBench: Bench = {
  name: "platform",
  about: "time to ready, idle memory, publish to handler, cold submit to first step, events per second",
  async run(say) {
    const dir = mkdtempSync(join(tmpdir(), "trainyard-bench-"));
    try {
      return [...(await measureEvents(dir, say)), ...(await measureUp(join(dir, "platform"), say))];
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

/** Without the launcher: its memory is not the platform's, and ranks shall start cold. */
const startCold = (dir: string) => startUp(dir, ["--ports", "free"], { TRAINYARD_LAUNCHER: "off" });

async function measureUp(dir: string, say: (line: string) => void): Promise<readonly Measurement[]> {
  say("first start, on an empty folder");
  let platform = await startCold(dir);
  const firstMs = platform.readyMs;
  const readyMs: number[] = [];
  for (let start = 1; start <= STARTS; start++) {
    await platform.stop();
    say(`start ${start} of ${STARTS}`);
    platform = await startCold(dir);
    readyMs.push(platform.readyMs);
  }
  try {
    say("idle memory");
    await delay(IDLE_MS);
    const idleMiB = pssBytes(descendants(platform.pid)) / 1024 ** 2;
    const coldMs = await coldFirstSteps(platform, dir, say);
    return [
      { metric: "first_start_to_ready", unit: "ms", value: firstMs, aim: { op: "<", value: 5_000 } },
      {
        metric: "start_to_ready",
        unit: "ms",
        value: median(readyMs),
        samples: readyMs,
        aim: { op: "<", value: 5_000 },
      },
      { metric: "idle_memory_pss", unit: "MiB", value: idleMiB, aim: { op: "<", value: 700 } },
      { metric: "submit_to_first_step_cold", unit: "ms", value: median(coldMs), samples: coldMs },
    ];
  } finally {
    await platform.stop();
  }
}

/** Submits the digits job, two ranks, and reads when its first step was done. */
async function coldFirstSteps(
  platform: StartedPlatform,
  dir: string,
  say: (line: string) => void,
): Promise<readonly number[]> {
  const user = flowClients(platform.url, platform.tokens.submitter);
  const sourceDigest = await user.upload(await digitsParquet(dir));
  const contractYaml = await readFile(join(digitsDir, "contract.yaml"), "utf8");
  const registration = {
    requestId: randomUUID(),
    name: "digits",
    sourceDigest,
    format: dataset.FileFormat.PARQUET,
    contractYaml,
  };
  await user.dataset.registerDatasetVersion(registration, { timeoutMs: 60_000 });
  const code = await bundle(digitsDir, ["train.py"]);
  const digest = await user.upload(code);
  const samples: number[] = [];
  for (let submit = 1; submit <= SUBMITS; submit++) {
    say(`cold job ${submit} of ${SUBMITS}`);
    const spec = digitsSpec(digest, code.length, { epochs: 1, stepDelayMs: 0, checkpointEverySteps: 1_000 });
    const { model: _, ...unregistered } = spec;
    const { job } = await user.scheduler.submitJob({ requestId: randomUUID(), spec: unregistered });
    const done = await waitFor(
      "the job's end",
      async () => {
        const { job: now } = await user.scheduler.getJob({ jobId: job?.id ?? "" });
        return now !== undefined && now.state >= scheduler.JobState.SUCCEEDED ? now : undefined;
      },
      { timeoutMs: 120_000, intervalMs: 100 },
    );
    const firstStepAt = done.attempts[0]?.firstStepAt;
    if (done.createdAt === undefined || firstStepAt === undefined)
      throw new Error(`no first step: ${done.failure?.message}`);
    samples.push(timestampMs(firstStepAt) - timestampMs(done.createdAt));
  }
  return samples;
}
