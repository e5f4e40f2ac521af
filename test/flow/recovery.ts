import { randomUUID } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { scheduler, type tracking } from "@trainyard/contracts";
import { checkoutRoot } from "@trainyard/local";
import { waitFor } from "@trainyard/testing";
import type { FlowClients } from "./clients.ts";
import { bundle } from "./digits.ts";

/** The script, in its folder: on the platform it logs each step, and prints the digest of its weights. */
export const SCRIPT = "ddp_recovery.py";
export const peers = join(checkoutRoot, "tools/bench/peers");

/** A training of which a rank was killed, as it ended. */
export interface Killed {
  readonly job: scheduler.Job;
  readonly run: tracking.Run;
  /** The last step that was done before the gang noticed. */
  readonly killedAtStep: number;
  /** From the kill to the end of the next step. */
  readonly nextStepMs: number;
  readonly stepsLost: number;
  /** Of the final weights. */
  readonly digest: string;
}

/** The two-rank DDP job that the recovery of gangs is measured with; it saves none but when survivors do, unless told. */
export async function recoveryJob(
  user: FlowClients,
  options: { readonly stepDelayMs: number; readonly steps?: number; readonly checkpointEverySteps?: number },
): Promise<scheduler.JobSpec> {
  const { stepDelayMs, steps = 300, checkpointEverySteps } = options;
  const code = await bundle(peers, [SCRIPT]);
  return create(scheduler.JobSpecSchema, {
    name: "recovery",
    ranks: 2,
    slotsPerRank: 1,
    code: { digest: await user.upload(code), sizeBytes: BigInt(code.length) },
    entrypoint: [SCRIPT],
    env: {
      RECOVERY_STEP_DELAY_MS: String(stepDelayMs),
      RECOVERY_STEPS: String(steps),
      // A node of one slot gives its rank all cores, and the nodes of tests are one machine: threads would wait for cores by spinning.
      OMP_NUM_THREADS: "1",
    },
    ...(checkpointEverySteps === undefined
      ? {}
      : { checkpoint: { everySteps: BigInt(checkpointEverySteps) } }),
    seed: 3n,
  });
}

/** Runs the job without a kill; the digest of its weights. */
export async function trainedDigest(user: FlowClients, spec: scheduler.JobSpec): Promise<string> {
  const { job } = await user.scheduler.submitJob({ requestId: randomUUID(), spec });
  const ended = await jobSucceeded(user, job?.id ?? "");
  return digestOf(user, ended);
}

/**
 * So many steps after the one at which it is to be killed a rank goes no further, nor through the last: on a busy machine the
 * kill comes late, and of a gang that has ended nobody is left to save anything.
 */
const HOLD_AFTER_STEPS = 50;

/** Runs the job and kills one of its ranks `delayMs` after it was seen to have done a step. */
export async function killedTraining(
  user: FlowClients,
  spec: scheduler.JobSpec,
  platformDir: string,
  kill: { readonly rank: number; readonly atStep: number; readonly delayMs: number },
): Promise<Killed> {
  const hold = Math.min(kill.atStep + HOLD_AFTER_STEPS, Number(spec.env.RECOVERY_STEPS) - 1);
  const env = { ...spec.env, RECOVERY_HOLD: `${kill.rank}:${hold}` };
  const { job } = await user.scheduler.submitJob({ requestId: randomUUID(), spec: { ...spec, env } });
  const id = job?.id ?? "";
  const runId = job?.runId ?? "";
  const record = join(platformDir, `agents/*/attempts/${id}-1/rank-${kill.rank}/started.json`);
  const started = await waitFor("the rank's start", () => globSync(record)[0], { timeoutMs: 180_000 });
  await waitFor("the step", async () => (await lastStep(user, runId)) >= kill.atStep, {
    timeoutMs: 180_000,
    intervalMs: 20,
  });
  await delay(kill.delayMs);
  const { pid } = JSON.parse(readFileSync(started, "utf8")) as { readonly pid: number };
  const killedAtMs = Date.now();
  process.kill(pid, "SIGKILL");
  const ended = await jobSucceeded(user, id);
  const { run } = await user.tracking.getRun({ runId });
  const [first, second] = ended.attempts;
  if (run === undefined || first?.failure === undefined || second?.firstStepAt === undefined)
    throw new Error(`the job went on without a second attempt: ${ended.failure?.message}`);
  const killedAtStep = Number(first.failure.step);
  return {
    job: ended,
    run,
    killedAtStep,
    nextStepMs: timestampMs(second.firstStepAt) - killedAtMs,
    stepsLost: Math.max(0, killedAtStep - Number(second.resumedFromStep)),
    digest: await digestOf(user, ended),
  };
}

async function lastStep(user: FlowClients, runId: string): Promise<number> {
  const { run } = await user.tracking.getRun({ runId });
  return Number(run?.metrics.loss?.lastStep ?? -1n);
}

/** The job once it has succeeded; asked for every `intervalMs`. */
export async function jobSucceeded(
  user: FlowClients,
  jobId: string,
  intervalMs = 100,
): Promise<scheduler.Job> {
  const ended = await waitFor(
    "the job's end",
    async () => {
      const { job } = await user.scheduler.getJob({ jobId });
      return job !== undefined && job.state >= scheduler.JobState.SUCCEEDED ? job : undefined;
    },
    { timeoutMs: 300_000, intervalMs },
  );
  if (ended.state !== scheduler.JobState.SUCCEEDED) throw new Error(`it failed: ${ended.failure?.message}`);
  return ended;
}

/** The digest of a job's final weights, as rank 0 of its last attempt printed it. */
export async function digestOf(user: FlowClients, { runId, attempts }: scheduler.Job): Promise<string> {
  return waitFor("the digest in the log", async () => {
    const lines: string[] = [];
    const attempt = attempts.at(-1)?.number ?? 1;
    for await (const part of user.tracking.readLogs({ runId, rank: 0, attempt })) lines.push(...part.lines);
    return lines.map((line) => /digest ([0-9a-f]{64})/.exec(line)?.[1]).find((found) => found !== undefined);
  });
}
