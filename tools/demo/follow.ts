import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { scheduler, type tracking } from "@trainyard/contracts";
import type { FlowClients } from "@trainyard/test/flow/clients.ts";
import { sparkline } from "../../cli/runs/sparkline.ts";
import type { Screen } from "./screen.ts";

/** The kill, as it happened. */
export interface Kill {
  readonly rank: number;
  readonly pid: number;
  readonly at: Date;
  readonly atStep: number;
}

/** What following the job has shown. */
export interface Followed {
  readonly job: scheduler.Job;
  readonly kill: Kill | undefined;
  /** Every checkpoint that was committed, also those that newer ones have replaced since. */
  readonly checkpoints: readonly tracking.Checkpoint[];
}

const finals = [scheduler.JobState.SUCCEEDED, scheduler.JobState.FAILED, scheduler.JobState.CANCELLED];

/** Shows the job until it has ended, and kills one rank once a checkpoint is there and some steps have passed since. */
export async function followAndKill(
  user: FlowClients,
  job: scheduler.Job,
  agentDirs: readonly string[],
  out: Screen,
): Promise<Followed> {
  const shown = { pending: "", attempt: 0, running: 0 };
  const committedAt = new Map<string, tracking.Checkpoint>();
  let kill: Kill | undefined;
  for (;;) {
    const { job: now } = await user.scheduler.getJob({ jobId: job.id });
    if (now === undefined) throw new Error("the job is gone");
    tellState(now);
    const attempt = now.attempts.at(-1);
    const { points } = await user.tracking.getMetricHistory({ runId: job.runId, keys: ["loss"], rank: 0 });
    const { checkpoints } = await user.tracking.listCheckpoints({ runId: job.runId });
    for (const checkpoint of [...checkpoints].reverse()) {
      if (committedAt.has(checkpoint.id)) continue;
      committedAt.set(checkpoint.id, checkpoint);
      out.good(
        `checkpoint of step ${checkpoint.step} committed, ${(Number(checkpoint.sizeBytes) / 1024).toFixed(0)} KiB`,
      );
    }
    const last = points.at(-1);
    if (last !== undefined) {
      out.status(
        `step ${last.step}  loss ${last.value.toFixed(3)}  ${sparkline(
          points.map(({ value }) => value),
          48,
        )}`,
      );
    }
    const step = Number(last?.step ?? 0n);
    const committed = Number(checkpoints[0]?.step ?? 0n);
    if (kill === undefined && attempt?.number === 1 && checkpoints.length >= 2 && step > committed + 15) {
      kill = killRank(1, job, agentDirs, step);
      if (kill !== undefined) out.bad(`SIGKILL to rank 1 (process ${kill.pid}) at step ${kill.atStep}`);
    }
    if (finals.includes(now.state)) return { job: now, kill, checkpoints: [...committedAt.values()] };
    await delay(100);
  }

  function tellState(now: scheduler.Job): void {
    const attempt = now.attempts.at(-1);
    const pending = now.pending?.message ?? "";
    if (pending !== "" && pending !== shown.pending) out.dim(`waiting: ${pending}`);
    shown.pending = pending;
    if (attempt !== undefined && attempt.number > shown.attempt) {
      shown.attempt = attempt.number;
      const before = now.attempts.at(-2);
      if (before?.failure !== undefined) out.dim(`attempt ${before.number} ended: ${before.failure.message}`);
      const slots = attempt.placements
        .map(({ nodeId, slots }) => `${nodeId} slots ${slots.join(", ")}`)
        .join("; ");
      out.good(`attempt ${attempt.number} admitted: ${slots}`);
    }
    if (attempt?.firstStepAt !== undefined && shown.running < attempt.number) {
      shown.running = attempt.number;
      const from =
        attempt.number === 1
          ? "from the beginning"
          : `from the checkpoint of step ${attempt.resumedFromStep}`;
      out.good(`attempt ${attempt.number} trains, ${from}`);
    }
  }
}

function killRank(
  rank: number,
  job: scheduler.Job,
  agentDirs: readonly string[],
  atStep: number,
): Kill | undefined {
  for (const dir of agentDirs) {
    try {
      const file = join(dir, "attempts", `${job.id}-1`, `rank-${rank}`, "started.json");
      // Written by the shim of this attempt.
      const { pid } = JSON.parse(readFileSync(file, "utf8")) as { readonly pid: number };
      process.kill(pid, "SIGKILL");
      return { rank, pid, at: new Date(), atStep };
    } catch {
      // Not on this node.
    }
  }
  return undefined;
}
