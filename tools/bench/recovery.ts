import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { checkoutRoot, findPython } from "@trainyard/local";
import { flowClients } from "@trainyard/test/flow/clients.ts";
import { type Killed, killedTraining, recoveryJob, trainedDigest } from "@trainyard/test/flow/recovery.ts";
import { waitFor } from "@trainyard/testing";
import { startUp } from "../start-up.ts";
import { type KillCost, killMeasurements } from "./kill-measurements.ts";
import { torchVersion } from "./launch.ts";
import { lastStepOf, nextAttempt, stepsIn } from "./peer-steps.ts";
import type { Bench, Measurement } from "./result.ts";

const TRIALS = Number(process.env.TRAINYARD_BENCH_TRIALS ?? 20);
/** torchrun needs so long that a few have to do. */
const PEER_TRIALS = Math.min(5, TRIALS);
const PEER_TIMEOUT_MS = 120_000;
const SEED = Number(process.env.TRAINYARD_BENCH_SEED ?? Date.now() % 100_000);
/** Steps between which the kill falls. */
const KILL_BETWEEN = [60, 220] as const;
/** The pause of a step, so that kills fall anywhere; without one they fall into its work, such as between gradients and optimizer. */
const STEP_MS = Number(process.env.TRAINYARD_BENCH_STEP_MS ?? 10);

/** What the death of a rank costs a training: time, steps, and whether its end is still the same. */
export const recoveryBench: Bench = {
  name: "recovery",
  about: "SIGKILL of one of two ranks: time to the next step, steps lost, final weights; beside torchrun",
  async run(say) {
    const dir = mkdtempSync(join(tmpdir(), "trainyard-bench-"));
    const platform = await startUp(join(dir, "platform"), ["--ports", "free"]);
    try {
      const user = flowClients(platform.url, platform.tokens.submitter);
      const spec = await recoveryJob(user, { stepDelayMs: STEP_MS });
      say(
        `${TRIALS} trials, seed ${SEED} (TRAINYARD_BENCH_TRIALS, TRAINYARD_BENCH_SEED), ${STEP_MS} ms pause a step (TRAINYARD_BENCH_STEP_MS)`,
      );
      // The first one also warms up code, connections and the launcher.
      const unbroken = await trainedDigest(user, spec);
      const random = randomFrom(SEED);
      const trials: Killed[] = [];
      const peer: PeerTrial[] = [];
      for (let trial = 1; trial <= TRIALS; trial++) {
        const atStep = Math.floor(KILL_BETWEEN[0] + random() * (KILL_BETWEEN[1] - KILL_BETWEEN[0]));
        const within = { atStep, delayMs: random() * 20, rank: trial % 2 };
        const one = await killedTraining(user, spec, platform.dataDir, within);
        trials.push(one);
        const what = one.digest === unbroken ? "identical" : `OTHER WEIGHTS (${one.digest})`;
        say(
          `trial ${trial}: rank ${within.rank} at step ${one.killedAtStep}: ${Math.round(one.nextStepMs)} ms, ${one.stepsLost} lost, ${what}`,
        );
        if (trial <= PEER_TRIALS) {
          peer.push(await torchrunTrial(atStep));
          say(`torchrun: ${JSON.stringify(peer.at(-1))}`);
        }
      }
      return report(trials, peer, unbroken, torchVersion());
    } finally {
      await platform.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

type PeerTrial = ({ readonly kind: "recovered" } & KillCost) | { readonly kind: "failed" };

async function report(
  trials: readonly Killed[],
  peer: readonly PeerTrial[],
  unbroken: string,
  version: Promise<string>,
): Promise<readonly Measurement[]> {
  const good = peer.filter((trial) => trial.kind === "recovered");
  return [
    ...killMeasurements(trials, {
      peer: { name: "torchrun --max-restarts", version: await version, trials: good },
      within: 2_000,
      lost: { metric: "steps_lost_max", most: 0 },
    }),
    {
      metric: "identical_final_weights",
      unit: `of ${trials.length}`,
      value: trials.filter(({ digest }) => digest === unbroken).length,
      aim: { op: ">=", value: trials.length },
    },
    { metric: "torchrun_recovered", unit: `of ${peer.length}`, value: good.length },
  ];
}

/** The same script under torchrun, with checkpoints of its own; rank 1 is killed. */
async function torchrunTrial(atStep: number): Promise<PeerTrial> {
  const dir = mkdtempSync(join(tmpdir(), "trainyard-torchrun-"));
  const torchrun = join(dirname(findPython()), "torchrun");
  const args = ["--standalone", "--nproc-per-node", "2", "--max-restarts", "3", "ddp_recovery.py"];
  const child = spawn(torchrun, args, {
    cwd: join(checkoutRoot, "tools/bench/peers"),
    detached: true,
    stdio: "ignore",
    env: {
      PATH: process.env.PATH ?? "",
      HOME: process.env.HOME ?? "/",
      OMP_NUM_THREADS: "1",
      STEPS_DIR: dir,
      RECOVERY_STEP_DELAY_MS: String(STEP_MS),
    },
  });
  try {
    const before = await waitFor("torchrun's steps", () => stepsIn(dir).find(({ step }) => step >= atStep), {
      timeoutMs: PEER_TIMEOUT_MS,
      intervalMs: 5,
    });
    const killedAt = Date.now();
    process.kill(Number(readFileSync(join(dir, "pid-1"), "utf8")), "SIGKILL");
    const next = await waitFor("torchrun's next attempt", () => nextAttempt(dir, before.begun), {
      timeoutMs: PEER_TIMEOUT_MS,
      intervalMs: 10,
    });
    return {
      kind: "recovered",
      nextStepMs: next.atMs - killedAt,
      stepsLost: lastStepOf(dir, before.begun) - next.begun,
    };
  } catch {
    return { kind: "failed" };
  } finally {
    endGroup(child);
    rmSync(dir, { recursive: true, force: true });
  }
}

/** torchrun and its ranks: it was started as the leader of a group of its own. */
function endGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // It is over.
  }
}

/** Mulberry32: the same kills for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
