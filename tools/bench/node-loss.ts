import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { scheduler } from "@trainyard/contracts";
import { checkoutRoot, findPython, freePort } from "@trainyard/local";
import { recoveryJob } from "@trainyard/test/flow/recovery.ts";
import {
  endAll,
  endProcess,
  launchersServe,
  readyNodes,
  type Stage,
  setStage,
} from "@trainyard/test/flow/stage.ts";
import { closeAll, waitFor } from "@trainyard/testing";
import { type KillCost, killMeasurements } from "./kill-measurements.ts";
import { torchVersion } from "./launch.ts";
import { lastStepOf, nextAttempt, stepsIn } from "./peer-steps.ts";
import { descendants } from "./processes.ts";
import type { Bench, Measurement } from "./result.ts";

const TRIALS = Number(process.env.TRAINYARD_BENCH_TRIALS ?? 5);
const STEP_MS = 10;
const CHECKPOINT_EVERY_STEPS = 40;
/** The kill falls when so many steps are done and a checkpoint is committed. */
const KILL_AT_STEP = 150;
const PEER_TIMEOUT_MS = 180_000;
const wait = { timeoutMs: 120_000, intervalMs: 20 };

/** What the loss of a machine costs: everything on one of two nodes dies at once, and nobody is told. */
export const nodeLossBench: Bench = {
  name: "node-loss",
  about: "kill of agent and ranks on one of two nodes: time to the next step on the other; beside torchrun",
  async run(say) {
    const dir = mkdtempSync(join(tmpdir(), "trainyard-bench-"));
    let stage: Stage | undefined;
    try {
      stage = await setStage(join(dir, "stage"), { nodes: 2, slots: 2 });
      const trials: KillCost[] = [];
      for (let trial = 1; trial <= TRIALS; trial++) {
        const loss = await lossOfNode(stage);
        trials.push(loss);
        say(`trial ${trial} of ${TRIALS}: ${Math.round(loss.nextStepMs)} ms, ${loss.stepsLost} steps lost`);
      }
      await stage.stop();
      stage = undefined;
      const peer = await torchrunLoss(dir);
      say(`torchrun, elastic over two nodes of one rank: ${JSON.stringify(peer ?? "no further step")}`);
      return report(trials, peer, await torchVersion());
    } finally {
      await stage?.stop();
      await closeAll();
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

function report(
  trials: readonly KillCost[],
  peer: KillCost | undefined,
  version: string,
): readonly Measurement[] {
  return [
    ...killMeasurements(trials, {
      peer: { name: "torchrun --nnodes 1:2", version, trials: peer === undefined ? [] : [peer] },
      within: 10_000,
      lost: { metric: "steps_lost_max_at_least" },
    }),
    { metric: "torchrun_recovered", unit: "of 1", value: peer === undefined ? 0 : 1 },
  ];
}

/** Runs a gang on one of the nodes, kills all of that node once there is a checkpoint, and lets it come back. */
async function lossOfNode(stage: Stage): Promise<KillCost> {
  const { user, nodes } = stage;
  const endless = { stepDelayMs: STEP_MS, steps: 1_000_000, checkpointEverySteps: CHECKPOINT_EVERY_STEPS };
  const spec = await recoveryJob(user, endless);
  const { job } = await user.scheduler.submitJob({ requestId: randomUUID(), spec });
  const jobId = job?.id ?? "";
  const now = async () => (await user.scheduler.getJob({ jobId })).job;
  const lastStep = async () => {
    const { run } = await user.tracking.getRun({ runId: job?.runId ?? "" });
    return Number(run?.metrics.loss?.lastStep ?? 0n);
  };
  await waitFor("the gang's steps", async () => (await lastStep()) >= KILL_AT_STEP, wait);
  await waitFor(
    "a checkpoint",
    async () => (await user.tracking.listCheckpoints({ runId: job?.runId ?? "" })).checkpoints.length > 0,
    wait,
  );
  const [placement] = (await now())?.attempts.at(-1)?.placements ?? [];
  const node = nodes.find(({ id }) => id === placement?.nodeId);
  if (node === undefined) throw new Error("the gang is on no node of the stage");
  // The steps after it, which nobody was told of, went with the node.
  const doneAtLeast = await lastStep();
  const killedAtMs = Date.now();
  // Down long enough that it is the other node that goes on.
  const down = node.agent.kill(15_000);
  await endAll(node.dir);
  await down;
  const second = await waitFor(
    "the next step",
    async () => {
      const attempt = (await now())?.attempts[1];
      return attempt?.firstStepAt === undefined ? undefined : attempt;
    },
    wait,
  );
  if (second.firstStepAt === undefined) throw new Error("no step");
  if (second.placements.some(({ nodeId }) => nodeId === node.id))
    throw new Error(`the gang went on on ${node.id}, which was dead`);
  await user.scheduler.cancelJob({ requestId: randomUUID(), jobId });
  await waitFor("the cancel", async () => (await now())?.state === scheduler.JobState.CANCELLED, wait);
  await waitFor("both nodes", async () => (await readyNodes(stage)) === nodes.length, wait);
  await launchersServe(stage);
  return {
    nextStepMs: timestampMs(second.firstStepAt) - killedAtMs,
    stepsLost: Math.max(0, doneAtLeast - Number(second.resumedFromStep)),
  };
}

/** The same script under torchrun on two "nodes" of one rank, which may go on with one; the second is killed whole. */
async function torchrunLoss(dir: string): Promise<KillCost | undefined> {
  const port = await freePort();
  const nodes: ChildProcess[] = [];
  const start = () => {
    const torchrun = join(dirname(findPython()), "torchrun");
    const meet = ["--rdzv-backend", "c10d", "--rdzv-endpoint", `127.0.0.1:${port}`, "--rdzv-id", "node-loss"];
    const args = [
      "--nnodes",
      "1:2",
      "--nproc-per-node",
      "1",
      "--max-restarts",
      "3",
      ...meet,
      "ddp_recovery.py",
    ];
    const child = spawn(torchrun, args, {
      cwd: join(checkoutRoot, "tools/bench/peers"),
      detached: true,
      stdio: "ignore",
      env: {
        PATH: process.env.PATH ?? "",
        HOME: process.env.HOME ?? "/",
        OMP_NUM_THREADS: "1",
        GLOO_SOCKET_IFNAME: "lo",
        STEPS_DIR: dir,
        RECOVERY_STEPS: "1000000",
        RECOVERY_STEP_DELAY_MS: String(STEP_MS),
      },
    });
    nodes.push(child);
    return child;
  };
  try {
    // The first hosts the store of the rendezvous, and is left alive.
    start();
    const second = start();
    const limits = { timeoutMs: PEER_TIMEOUT_MS, intervalMs: 10 };
    const before = await waitFor(
      "torchrun's steps",
      () => stepsIn(dir).find(({ step }) => step >= KILL_AT_STEP),
      limits,
    );
    const killedAtMs = Date.now();
    // Its rank is in a session of its own.
    for (const pid of descendants(second.pid ?? 0)) endProcess(pid);
    const next = await waitFor("torchrun's next step", () => nextAttempt(dir, before.begun), limits);
    return {
      nextStepMs: next.atMs - killedAtMs,
      stepsLost: lastStepOf(dir, before.begun) - next.begun,
    };
  } catch {
    return undefined;
  } finally {
    for (const { pid } of nodes) if (pid !== undefined) for (const each of descendants(pid)) endProcess(each);
  }
}
