/**
 * npm run demo:elastic [-- --json]
 *
 * An elastic gang on two nodes, each with a network of its own. The link of one is cut in the middle of an epoch: the gang goes
 * on with the other's ranks; the link is healed: what was left of the old attempt ends, and the gang grows back at a
 * checkpoint. At the end each sample of each epoch was taken once, by the run's own history. Takes root, for the networks.
 */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { create } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import { checkoutRoot } from "@trainyard/local";
import { describeFailure } from "@trainyard/service";
import type { FlowClients } from "@trainyard/test/flow/clients.ts";
import { bundle } from "@trainyard/test/flow/digits.ts";
import { rankProcesses } from "@trainyard/test/flow/rank-processes.ts";
import { type Stage, type StageNode, setStage } from "@trainyard/test/flow/stage.ts";
import { closeAll, waitFor } from "@trainyard/testing";
import { registerDigits } from "../data.ts";
import { screen } from "../screen.ts";
import { splitIds, takenByEpoch } from "./consumed.ts";

const EPOCHS = 12;
const STEP_MS = 50;
/** In the middle of the second epoch: four ranks take 32 of 1,258 samples a step. */
const CUT_AT_STEP = 55;
/** How long the smaller gang works before the link is healed. */
const SMALLER_STEPS = 20;
const GONE_WITHIN_MS = 10_000;
const wait = { timeoutMs: 180_000, intervalMs: 50 };

const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });
const out = screen(values.json);

async function demo(dir: string): Promise<object> {
  const startedAt = performance.now();
  out.chapter("Two nodes in network namespaces, two slots each");
  const stage = await setStage(dir, {
    nodes: 2,
    slots: 2,
    networks: true,
    schedulerEnv: { TRAINYARD_GROW_AFTER_MS: "3000" },
  });
  try {
    const [missing] = stage.missing;
    if (missing !== undefined) throw new Error(missing);
    await registerDigits(stage.user);
    return { ...(await story(stage)), seconds: Number(((performance.now() - startedAt) / 1000).toFixed(1)) };
  } finally {
    await stage.stop();
  }
}

async function story(stage: Stage): Promise<object> {
  const { user, nodes } = stage;
  const { jobId, runId } = await submit(user);
  const job = async () => {
    const { job: found } = await user.scheduler.getJob({ jobId });
    if (found === undefined) throw new Error("the job is gone");
    if (found.state === scheduler.JobState.FAILED)
      throw new Fatal(`the job failed: ${found.failure?.message}\n${found.failure?.tracebackTail}`);
    return found;
  };
  const lastStep = async () => {
    const { run } = await user.tracking.getRun({ runId });
    const own = Object.entries(run?.metrics ?? {}).filter(([key]) => key.startsWith("sample/"));
    const steps = own.map(([, metric]) => Number(metric.lastStep));
    return Math.max(0, ...steps);
  };
  await until("the second epoch", async () => (await lastStep()) >= CUT_AT_STEP);
  out.good(`attempt 1 trains with ${(await job()).attempts[0]?.worldSize} ranks`);
  const victim = nodes[1];
  if (victim?.network === undefined) throw new Error("the second node has no network of its own");
  const cutAtStep = await lastStep();
  const cutAtMs = performance.now();
  victim.network.cut();
  out.bad(`the link of ${victim.id} is cut at about step ${cutAtStep}`);
  const smaller = await until("the smaller gang's step", async () => {
    const second = (await job()).attempts[1];
    return second?.firstStepAt === undefined ? undefined : second;
  });
  const resumedMs = Math.round(performance.now() - cutAtMs);
  out.good(
    `attempt 2 goes on with ${smaller.worldSize} ranks from step ${smaller.resumedFromStep}, ${resumedMs} ms after the cut`,
  );
  const from = Number(smaller.resumedFromStep);
  await until("more steps", async () => (await lastStep()) >= from + SMALLER_STEPS);
  const aliveAtHeal = oldRanks(victim, jobId).length;
  victim.network.heal();
  out.good(`the link is healed; ${aliveAtHeal} processes of attempt 1 were still alive behind it`);
  const gone = await goneAfterHeal(victim, jobId);
  out.good(
    `${gone.aliveAfter10s} of them are alive 10 s later (the last ended after ${gone.lastEndedAfterMs} ms)`,
  );
  const ended = await until("the end", async () => {
    const now = await job();
    return now.state === scheduler.JobState.SUCCEEDED ? now : undefined;
  });

  const split = await splitIds(user, runId);
  const epochs = await takenByEpoch(user, runId, EPOCHS, split);
  const exactlyOnce = epochs.every(({ isWhole }) => isWhole);
  const attempts = ended.attempts.map(({ number, worldSize, resumedFromStep, failure, placements }) => ({
    number,
    ranks: worldSize,
    nodes: placements.map(({ nodeId }) => nodeId),
    resumedFromStep: Number(resumedFromStep),
    endedBy: failure?.reason ?? null,
  }));
  for (const { number, ranks, resumedFromStep, endedBy } of attempts)
    out.line(
      `attempt ${number}: ${ranks} ranks from step ${resumedFromStep}, ended by ${endedBy ?? "success"}`,
    );
  const words = `${split.samples} samples, ${EPOCHS} epochs: each taken ${exactlyOnce ? "once" : "NOT once"}`;
  (exactlyOnce ? out.good : out.bad)(words);
  return {
    job: jobId,
    run: runId,
    dataset: split,
    cut: { node: victim.id, atStep: cutAtStep, nextStepAfterMs: resumedMs },
    attempts,
    epochs,
    exactlyOnce,
    oldAttempt: { aliveAtHeal, ...gone },
    ok: exactlyOnce && gone.aliveAfter10s === 0,
  };
}

async function submit(user: FlowClients) {
  const code = await bundle(join(checkoutRoot, "tools/demo/elastic"), ["train.py"]);
  const spec = create(scheduler.JobSpecSchema, {
    name: "elastic",
    ranks: 4,
    minRanks: 2,
    slotsPerRank: 1,
    code: { digest: await user.upload(code), sizeBytes: BigInt(code.length) },
    entrypoint: ["train.py"],
    params: { epochs: EPOCHS, stepMs: STEP_MS },
    dataset: { name: "digits", version: "latest" },
    checkpoint: { everySteps: 10n },
    seed: 7n,
  });
  const { job } = await user.scheduler.submitJob({ requestId: randomUUID(), spec });
  out.good(`${job?.id} accepted: at most 4 ranks, at least 2`);
  return { jobId: job?.id ?? "", runId: job?.runId ?? "" };
}

const oldRanks = ({ dir }: StageNode, jobId: string) =>
  rankProcesses([dir]).filter(({ attempt }) => attempt === `${jobId}-1`);

/** Watches what is left of the first attempt for 10 s. */
async function goneAfterHeal(node: StageNode, jobId: string) {
  const from = performance.now();
  let lastEndedAfterMs = 0;
  while (performance.now() - from < GONE_WITHIN_MS) {
    if (oldRanks(node, jobId).length > 0) lastEndedAfterMs = Math.round(performance.now() - from);
    await delay(50);
  }
  return { aliveAfter10s: oldRanks(node, jobId).length, lastEndedAfterMs };
}

/** Nothing is worth waiting for any more. */
class Fatal extends Error {}

/** Waits, but not after the job has failed. */
async function until<T>(what: string, look: () => Promise<T>) {
  const found = await waitFor(
    what,
    async () => {
      try {
        return await look();
      } catch (error) {
        if (error instanceof Fatal) return error;
        throw error;
      }
    },
    wait,
  );
  if (found instanceof Fatal) throw found;
  return found;
}

const dir = mkdtempSync(join(tmpdir(), "trainyard-elastic-"));
let isOk = false;
try {
  const summary = await demo(join(dir, "stage"));
  isOk = "ok" in summary && summary.ok === true;
  if (values.json) console.log(JSON.stringify(summary, undefined, 2));
} catch (error) {
  out.bad(describeFailure(error));
} finally {
  await closeAll();
  rmSync(dir, { recursive: true, force: true });
}
process.exit(isOk ? 0 : 1);
