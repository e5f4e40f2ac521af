import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { scheduler } from "@trainyard/contracts";
import { tempDir, waitFor } from "@trainyard/testing";
import { insist } from "../../flow/clients.ts";
import { type Stage, setStage } from "../../flow/stage.ts";
import { seededRandom } from "../seeded-random.ts";
import { type Broken, brokenAfterStorm, digestOf, historyOf } from "./check.ts";
import { drawFault, type Fault, faults } from "./faults.ts";
import {
  type JobKind,
  jobKinds,
  type Submitted,
  specOf,
  submit,
  type Unbroken,
  unbrokenChain,
} from "./jobs.ts";

export interface StormOptions {
  readonly seed: number;
  /** How long things go wrong. */
  readonly forMs: number;
  readonly nodes: number;
  /** How long faults last, from 0 to 1 of their longest; all of it unless told. */
  readonly severity?: number;
  /** How long a job takes when nothing goes wrong. */
  readonly jobSeconds: number;
  readonly say: (line: string) => void;
}

/** What a storm came to. */
export interface StormResult {
  readonly broken: readonly Broken[];
  readonly jobs: number;
  readonly attempts: number;
  /** How often each fault struck. */
  readonly struck: Readonly<Record<string, number>>;
  /** What could not be done on this machine. */
  readonly missing: readonly string[];
  readonly seconds: number;
  /** The longest that the platform took to answer a question that was asked again until it did. */
  readonly slowestAnswerSeconds: number;
  /** What the processes printed; only when something is broken. */
  readonly output?: string;
}

/** Nodes that cut themselves off, and gangs that may grow, do so sooner than by default: a storm is short. */
const stageOptions = {
  slots: 2,
  networks: true,
  disks: true,
  agentEnv: {
    TRAINYARD_FENCE_AFTER_MS: "8000",
    TRAINYARD_DISK_RESERVE_BYTES: String(8 * 1024 * 1024),
  },
  schedulerEnv: { TRAINYARD_STOP_GRACE_MS: "3000", TRAINYARD_GROW_AFTER_MS: "5000" },
};
/** Faults that may be under way at a time. */
const AT_ONCE = 3;
const PAUSE_MS = [200, 1_500] as const;
const ENDS_WITHIN_MS = 300_000;
const UNCORDON_EVERY_MS = 1_000;

/**
 * Runs jobs while things go wrong at random, lets all heal, waits for the jobs' ends, and says what does not hold. The seed
 * determines which faults come, in which order, and for how long; what exactly each finds is a matter of the moment.
 */
export async function runStorm(options: StormOptions): Promise<StormResult> {
  const from = performance.now();
  const dir = tempDir("storm");
  const struck: Record<string, number> = {};
  const broken: Broken[] = [];
  let stage: Stage | undefined;
  let jobs: readonly Submitted[] = [];
  let attempts = 0;
  let slowestAnswerMs = 0;
  let output: string | undefined;
  try {
    stage = await setStage(dir, { ...stageOptions, nodes: options.nodes });
    for (const words of stage.missing) options.say(words);
    const storm = await weather(stage, options, struck);
    jobs = storm.jobs;
    slowestAnswerMs = storm.slowestAnswerMs;
    attempts = await allEnded(stage, jobs);
    broken.push(...(await brokenAfterStorm(stage, jobs, storm.unbroken)));
  } catch (error) {
    broken.push(`the storm did not end: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    if (stage !== undefined && broken.length > 0) output = outputs(stage);
    await stage?.stop();
  }
  return {
    broken,
    jobs: jobs.length,
    attempts,
    struck,
    missing: stage?.missing ?? [],
    seconds: (performance.now() - from) / 1000,
    slowestAnswerSeconds: slowestAnswerMs / 1000,
    ...(output === undefined ? {} : { output }),
  };
}

/** Runs the storm itself: first one job of each kind that has to be run to know its end, then jobs and faults together. */
async function weather(stage: Stage, options: StormOptions, struck: Record<string, number>) {
  const { forMs, jobSeconds, say } = options;
  const kinds = jobKinds(jobSeconds);
  const specs = new Map<string, scheduler.JobSpec>();
  const unbroken = new Map<string, Unbroken>();
  for (const kind of kinds) specs.set(kind.name, await specOf(stage.user, kind));
  for (const kind of kinds) unbroken.set(kind.name, await unbrokenOf(stage, kind, specs));
  say("the unbroken runs are known; the storm begins");
  const over = AbortSignal.timeout(forMs);
  const [jobs, , slowestAnswerMs] = await Promise.all([
    keepRunning(stage, kinds, specs, over),
    strikeOnAndOn(stage, options, over, struck),
    uncordonCooled(stage, over),
  ]);
  return { jobs, unbroken, slowestAnswerMs };
}

async function unbrokenOf(
  { user }: Stage,
  kind: JobKind,
  specs: ReadonlyMap<string, scheduler.JobSpec>,
): Promise<Unbroken> {
  const spec = specs.get(kind.name);
  if (kind.script === "chain.py" || spec === undefined) return unbrokenChain(kind);
  const { jobId, runId } = await submit(user, kind, spec);
  const { state, failure } = await ended(user, jobId);
  if (state !== scheduler.JobState.SUCCEEDED) throw new Error(`the unbroken run failed: ${failure?.message}`);
  const values = new Map(
    (await historyOf(user, runId)).map(({ rank, step, value }) => [`${rank} ${step}`, value]),
  );
  return {
    digest: await digestOf(user, runId, 1),
    valueAt: (rank, step) => values.get(`${rank} ${step}`),
  };
}

/** Keeps one job of each kind going, and gives back all that were submitted. */
async function keepRunning(
  { user }: Stage,
  kinds: readonly JobKind[],
  specs: ReadonlyMap<string, scheduler.JobSpec>,
  over: AbortSignal,
): Promise<readonly Submitted[]> {
  const lines = kinds.map(async (kind) => {
    const spec = specs.get(kind.name);
    const own: Submitted[] = [];
    if (spec === undefined) return own;
    do {
      const job = await submit(user, kind, spec);
      own.push(job);
      await ended(user, job.jobId, over);
    } while (!over.aborted);
    return own;
  });
  return (await Promise.all(lines)).flat();
}

/** Waits for a job's end, or until the storm is over. */
async function ended(user: Stage["user"], jobId: string, over?: AbortSignal): Promise<scheduler.Job> {
  return waitFor(
    `the end of ${jobId}`,
    async () => {
      const { job } = await user.scheduler.getJob({ jobId });
      if (job === undefined) throw new Error("no such job");
      if (over?.aborted === true || job.state >= scheduler.JobState.SUCCEEDED) return job;
      const { attempts, pending, failure, state } = job;
      const why = pending?.message ?? failure?.message;
      throw new Error(`it is ${scheduler.JobState[state]} in attempt ${attempts.length}: ${why}`);
    },
    { timeoutMs: ENDS_WITHIN_MS, intervalMs: 200 },
  );
}

/** Strikes until the storm is over, and waits until every fault has passed. */
async function strikeOnAndOn(
  stage: Stage,
  { seed, say, severity = 1 }: StormOptions,
  over: AbortSignal,
  struck: Record<string, number>,
): Promise<void> {
  const random = seededRandom(seed);
  const possible = faults.filter((fault) => fault.possible(stage));
  const underWay = new Set<Promise<void>>();
  const from = performance.now();
  const strike = async (fault: Fault, drawn: { readonly whom: number; readonly howLong: number }) => {
    const at = ((performance.now() - from) / 1000).toFixed(1);
    const words = await fault.strike(stage, drawn);
    if (words === undefined) return;
    struck[fault.name] = (struck[fault.name] ?? 0) + 1;
    say(`${at.padStart(6)} s  ${fault.name}: ${words}`);
  };
  while (!over.aborted) {
    const fault = drawFault(possible, random());
    const drawn = { whom: random(), howLong: random() * severity };
    const pauseMs = PAUSE_MS[0] + random() * (PAUSE_MS[1] - PAUSE_MS[0]);
    const running = strike(fault, drawn).finally(() => underWay.delete(running));
    // Rejections surface when all are awaited below.
    running.catch(() => undefined);
    underWay.add(running);
    await delay(pauseMs);
    if (underWay.size >= AT_ONCE) await Promise.race(underWay);
  }
  await Promise.all(underWay);
}

/**
 * What an operator does who knows that it was a storm: nodes that cool down get work again. Gives back how long the platform
 * took at most to tell of its nodes.
 */
async function uncordonCooled({ user, admin }: Stage, over: AbortSignal): Promise<number> {
  let slowestMs = 0;
  const uncordon = async () => {
    const askedAtMs = performance.now();
    const { nodes } = await insist("the nodes", () => user.scheduler.listNodes({}));
    slowestMs = Math.max(slowestMs, performance.now() - askedAtMs);
    for (const { id: nodeId, cooldown } of nodes) {
      if (cooldown?.until === undefined) continue;
      const order = { requestId: randomUUID(), nodeId };
      await insist("the uncordon", () => admin.scheduler.uncordonNode(order));
    }
  };
  while (!over.aborted) {
    await uncordon();
    await delay(UNCORDON_EVERY_MS);
  }
  await uncordon();
  return slowestMs;
}

/** Waits until every job is final; gives back how many attempts they took. */
async function allEnded({ user }: Stage, jobs: readonly Submitted[]): Promise<number> {
  const all = await Promise.all(jobs.map(({ jobId }) => ended(user, jobId)));
  return all.reduce((sum, { attempts }) => sum + attempts.length, 0);
}

function outputs({ fleet, nodes }: Stage): string {
  const services = (["scheduler", "tracking", "gateway"] as const).map(
    (name) => `=== ${name}\n${fleet.output(name).slice(-12_000)}`,
  );
  return [...services, ...nodes.map(({ id, agent }) => `=== ${id}\n${agent.output.slice(-12_000)}`)].join(
    "\n",
  );
}
