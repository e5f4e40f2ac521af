import { execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import { checkoutRoot, findPython } from "@trainyard/local";
import { type FlowClients, flowClients } from "@trainyard/test/flow/clients.ts";
import { bundle } from "@trainyard/test/flow/digits.ts";
import { jobSucceeded } from "@trainyard/test/flow/recovery.ts";
import { startUp } from "../start-up.ts";
import { type Gang, type Turns, takeTurns } from "./overhead-turns.ts";
import { descendants } from "./processes.ts";
import { type Bench, type Measurement, median } from "./result.ts";

/** Two processes of one program may be unequally fast for as long as they live: so often there are new ones. */
const GANGS = 3;
/** Turns of each gang that only warm it up. */
const WARM_UP = 2;
/**
 * Far more often than anybody would: every 15 minutes is the default. 0 is never. A gang has every other turn, and the clock
 * goes on meanwhile: of the time that it trains, a checkpoint is due in half of this.
 */
const CHECKPOINT_EVERY_SECONDS = Number(process.env.TRAINYARD_BENCH_CHECKPOINT_SECONDS ?? 20);
const SCRIPT = "overhead_steps.py";
const peers = join(checkoutRoot, "tools/bench/peers");

/** Where the ranks run, and where the platform does; and by how much a training may be slower, in percent. */
interface Layout {
  readonly name: "separate" | "shared";
  readonly rankCores: string;
  readonly platformCores: string;
  readonly aim: number;
}

/**
 * A model, the `steps` of a turn, and how many turns each gang has. A turn takes one to two seconds: of a shorter one the
 * platform would store in the other gang's turn what was logged in this.
 */
interface Training {
  readonly name: string;
  readonly width: number;
  readonly batch: number;
  readonly steps: number;
  readonly rounds: number;
  /** Whether the layout's aim is for it. */
  readonly isAimedAt: boolean;
}

/** What the platform costs, it costs per step, so that a training of short steps is shown too. */
const trainings: readonly Training[] = [
  { name: "", width: 1024, batch: 256, steps: 24, rounds: 20, isAimedAt: true },
  { name: "short_", width: 512, batch: 128, steps: 120, rounds: 6, isAimedAt: false },
];

/**
 * What the platform takes from a training that runs under it. A machine that others share is not equally fast for ten
 * seconds on end, by more than what is measured here: so a gang of bare ranks and one on the platform are alive together
 * and take turns, of which each waits for the other's to end.
 */
export const overheadBench: Bench = {
  name: "overhead",
  about:
    "steps per second under the platform (metrics each step, checkpoints) and as bare ranks, on separate cores and sharing them",
  async run(say): Promise<readonly Measurement[]> {
    const last = availableParallelism() - 1;
    const all = Array.from({ length: last + 1 }, (_, core) => core).join(",");
    const layouts: readonly Layout[] = [
      { name: "separate", rankCores: String(last), platformCores: "0", aim: 1 },
      { name: "shared", rankCores: all, platformCores: all, aim: 4 },
    ];
    say(`a checkpoint every ${CHECKPOINT_EVERY_SECONDS} s (TRAINYARD_BENCH_CHECKPOINT_SECONDS)`);
    const dir = mkdtempSync(join(tmpdir(), "trainyard-bench-"));
    const platform = await startUp(join(dir, "platform"), ["--ports", "free"]);
    try {
      const user = flowClients(platform.url, platform.tokens.submitter);
      const code = await bundle(peers, [SCRIPT]);
      const job = { digest: await user.upload(code), sizeBytes: BigInt(code.length) };
      const results: Measurement[] = [];
      for (const layout of layouts) {
        holdTo(platform.pid, layout.platformCores);
        for (const training of trainings) {
          const name = `${training.name}${layout.name}`;
          const times: Times = { bare: [], own: [] };
          for (let gang = 1; gang <= GANGS; gang++) {
            const turns = takeTurns(join(dir, `${name}-${gang}`));
            const environment = (of: Gang) => ({ ...turns.environment(of), ...parameters(layout, training) });
            const gangs = [bareRanks(environment("bare")), onPlatform(user, job, environment("own"))];
            say(`${name}, gangs ${gang} of ${GANGS}: ${training.rounds} turns each`);
            for (const problem of await measure(turns, gangs, training.rounds, times)) say(problem);
          }
          const measured = report(name, training, times, training.isAimedAt ? layout.aim : undefined);
          for (const { metric, value, unit } of measured) say(`${metric}: ${value.toFixed(2)} ${unit}`);
          results.push(...measured);
        }
      }
      return results;
    } finally {
      await platform.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

/** What `peers/overhead_steps.py` takes of the one and of the other. */
const parameters = ({ rankCores }: Layout, { width, batch, steps }: Training) => ({
  CORES: rankCores,
  WIDTH: String(width),
  BATCH: String(batch),
  STEPS: String(steps),
});

/** Seconds of each turn. */
type Times = Readonly<Record<Gang, number[]>>;

/** Adds what the turns of two gangs took to `times`; gives what went wrong after the last of them, which costs no turn. */
async function measure(
  turns: Turns,
  gangs: readonly Promise<void>[],
  rounds: number,
  times: Times,
): Promise<readonly string[]> {
  const failed = Promise.all(gangs).then(() =>
    Promise.reject(new Error("a gang ended before its last turn")),
  );
  failed.catch(() => undefined);
  try {
    for (let round = 1; round <= WARM_UP + rounds; round++) {
      // Whoever comes first may find the machine otherwise than the second.
      const order: readonly Gang[] = round % 2 === 1 ? ["bare", "own"] : ["own", "bare"];
      for (const gang of order) {
        const seconds = await Promise.race([turns.give(gang, round), failed]);
        if (round > WARM_UP) times[gang].push(seconds);
      }
    }
  } finally {
    turns.end();
  }
  const ends = await Promise.allSettled(gangs);
  return ends.flatMap((end) => (end.status === "rejected" ? [`after its last turn: ${end.reason}`] : []));
}

function report(
  name: string,
  { steps }: Training,
  { bare, own }: Times,
  aim: number | undefined,
): Measurement[] {
  // Each round's two turns stand beside each other in time, so they are what is compared.
  const each = own.map((seconds, round) => ({ seconds, bare: bare[round] ?? seconds }));
  const perSecond = (seconds: number) => steps / seconds;
  const slower = each.map((turn) => 100 * (turn.seconds / turn.bare - 1));
  const longer = each.map((turn) => (1_000 * (turn.seconds - turn.bare)) / steps);
  return [
    {
      metric: `${name}_steps_per_second`,
      unit: "1/s",
      value: median(own.map(perSecond)),
      peer: { name: "bare ranks", version: "torchrun", value: median(bare.map(perSecond)) },
    },
    {
      metric: `${name}_slower`,
      unit: "%",
      value: median(slower),
      samples: slower,
      ...(aim === undefined ? {} : { aim: { op: "<=" as const, value: aim } }),
    },
    { metric: `${name}_step_longer`, unit: "ms", value: median(longer) },
  ];
}

/** Has the platform's processes, with all their threads, run on these cores; the ranks choose their own. */
function holdTo(pid: number, cores: string): void {
  for (const one of descendants(pid)) {
    try {
      execFileSync("taskset", ["--all-tasks", "--pid", "--cpu-list", cores, String(one)], {
        stdio: "ignore",
      });
    } catch {
      // It ended meanwhile.
    }
  }
}

async function bareRanks(environment: Readonly<Record<string, string>>): Promise<void> {
  const torchrun = join(dirname(findPython()), "torchrun");
  const child = spawn(torchrun, ["--standalone", "--nproc-per-node", "2", SCRIPT], {
    cwd: peers,
    stdio: ["ignore", "ignore", "inherit"],
    env: {
      PATH: process.env.PATH ?? "",
      HOME: process.env.HOME ?? "/",
      OMP_NUM_THREADS: "1",
      ...environment,
    },
  });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`the bare ranks ended with exit code ${code}`);
}

async function onPlatform(
  user: FlowClients,
  code: { readonly digest: string; readonly sizeBytes: bigint },
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const spec = create(scheduler.JobSpecSchema, {
    name: "overhead",
    ranks: 2,
    slotsPerRank: 1,
    code,
    entrypoint: [SCRIPT],
    env: { ...env },
    checkpoint: { everySeconds: BigInt(CHECKPOINT_EVERY_SECONDS), keep: 3 },
  });
  const { job } = await user.scheduler.submitJob({ requestId: randomUUID(), spec });
  // Seldom: what is asked of the platform meanwhile is paid for by both gangs.
  await jobSucceeded(user, job?.id ?? "", 1_000);
}
