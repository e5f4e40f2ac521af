import { readdirSync } from "node:fs";
import { join } from "node:path";
import { evaluation, scheduler } from "@trainyard/contracts";
import { waitFor } from "@trainyard/testing";
import type { Fleet } from "../flow/fleet.ts";
import type { Flow } from "../flow/flow.ts";
import type { Phase } from "./cells.ts";

/** Whether the agent's folder holds a path of this shape below an attempt: looked at on disk, so that no service is asked. */
function inAttempts(fleet: Fleet, ...names: readonly RegExp[]): boolean {
  let folders = [join(fleet.agentDir, "attempts")];
  for (const name of [/./, ...names]) {
    folders = folders.flatMap((folder) =>
      entries(folder)
        .filter((entry) => name.test(entry))
        .map((entry) => join(folder, entry)),
    );
  }
  return folders.length > 0;
}

function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Waits until the flow is in the phase. "submit" and "promote" are the caller's own acts and are reached at once. */
export async function phaseReached(phase: Phase, fleet: Fleet, flow: Flow): Promise<void> {
  const check = checks[phase];
  if (check !== undefined)
    await waitFor(`phase ${phase}`, () => check(fleet, flow), { timeoutMs: 300_000, intervalMs: 15 });
}

type Check = (fleet: Fleet, flow: Flow) => boolean | Promise<boolean>;

const checks: Partial<Record<Phase, Check>> = {
  admit: async (_fleet, flow) => (await jobState(flow)) >= scheduler.JobState.STARTING,
  start: (fleet) => inAttempts(fleet, /^shim\.json$/),
  upload: (fleet) => inAttempts(fleet, /^ckpt$/, /^\d+$/, /^rank-0$/),
  commit: async (_fleet, { user, progress }) =>
    (await user.tracking.listCheckpoints({ runId: progress.runId ?? "" })).checkpoints.length > 0,
  end: (fleet) => inAttempts(fleet, /^done\.json$/),
  evaluate: async (_fleet, { user }) =>
    (await user.evaluation.listEvaluations({ model: "digits" })).evaluations.some(
      ({ state }) => state >= evaluation.EvaluationState.RUNNING,
    ),
};

async function jobState({ user, progress }: Flow): Promise<scheduler.JobState> {
  const { job } = await user.scheduler.getJob({ jobId: progress.jobId ?? "" });
  return job?.state ?? scheduler.JobState.UNSPECIFIED;
}
