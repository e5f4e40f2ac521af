import { setTimeout as delay } from "node:timers/promises";
import { randomNumbers } from "../../tracking/rank-file.ts";
import { startStage, type TrackingStage } from "../../tracking/stage.ts";
import { brokenIn } from "./check-run.ts";
import { callWriter, rankWriter, type Writer } from "./writers.ts";

/** How much is logged, and what dies meanwhile. */
export interface LoadOptions {
  readonly seed: number;
  /** Runs that log at once: one half by ranks' files, the others by calls, which an id or their points name. */
  readonly runs: number;
  /** How long they log. */
  readonly seconds: number;
  /** Deaths in that time, in turn of those in `victims`. */
  readonly kills: number;
  readonly say: (line: string) => void;
}

/** What came of it; `broken` is empty when every point is there exactly once. */
export interface LoadResult {
  readonly broken: readonly string[];
  readonly points: number;
  readonly seconds: number;
}

const victims = [
  ["tracking"],
  ["mongod"],
  ["tracking", "mongod"],
  ["nats-server"],
  ["tracking", "nats-server"],
] as const;

/** How long what died stays down. */
const DOWN_MS = 300;
/** Runs begun, and checked, at once. */
const AT_ONCE = 25;

/** Has many runs log at once while tracking, its database and the bus die and come again, and looks for what was lost or doubled. */
export async function runLoad({ seed, runs, seconds, kills, say }: LoadOptions): Promise<LoadResult> {
  const startedMs = performance.now();
  const stage = await startStage();
  try {
    const begin = (index: number) => {
      const own = seed * 1_000 + index;
      return index % 2 === 0
        ? rankWriter(stage, own)
        : callWriter(stage, own, index % 4 === 1 ? "id" : "points");
    };
    const writers = await inTurn(
      Array.from({ length: runs }, (_, index) => index),
      begin,
    );
    say(`${runs} runs log for ${seconds} s`);
    await killInTurn(stage, { seed, seconds, kills, say });
    await Promise.all(writers.map((writer) => writer.finish()));
    const points = writers.reduce((sum, { logged }) => sum + logged.length, 0);
    say(`${points} points are confirmed; comparing`);
    const broken = (await inTurn(writers, (writer: Writer) => brokenIn(stage, writer))).flat();
    return { broken, points, seconds: (performance.now() - startedMs) / 1_000 };
  } finally {
    await stage.stop();
  }
}

async function killInTurn(
  stage: TrackingStage,
  { seed, seconds, kills, say }: Omit<LoadOptions, "runs">,
): Promise<void> {
  const random = randomNumbers(seed);
  const partMs = (seconds * 1_000) / (kills + 1);
  const until = performance.now() + seconds * 1_000;
  const { mongod, nats } = stage.servers;
  for (let kill = 0; kill < kills; kill++) {
    await delay(partMs * (0.5 + random() / 2));
    const dying = new Set<string>(victims[kill % victims.length]);
    const named = [...dying].join(" and ");
    say(`killing ${named}`);
    await Promise.all([
      ...(dying.has("tracking") ? [stage.killTracking()] : []),
      ...(dying.has("mongod") ? [mongod.kill("SIGKILL")] : []),
      ...(dying.has("nats-server") ? [nats.kill("SIGKILL")] : []),
    ]);
    await delay(DOWN_MS);
    if (dying.has("mongod")) await mongod.restart();
    if (dying.has("nats-server")) await nats.restart();
    if (dying.has("tracking")) await stage.restartTracking();
    say(`${named} is up again`);
  }
  await delay(Math.max(0, until - performance.now()));
}

/** A few at a time. */
async function inTurn<I, O>(items: readonly I[], work: (item: I) => Promise<O>): Promise<O[]> {
  const done: O[] = [];
  for (let from = 0; from < items.length; from += AT_ONCE)
    done.push(...(await Promise.all(items.slice(from, from + AT_ONCE).map(work))));
  return done;
}
