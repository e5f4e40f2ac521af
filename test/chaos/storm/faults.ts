import { randomUUID } from "node:crypto";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { insist } from "../../flow/clients.ts";
import type { ProcessName } from "../../flow/fleet.ts";
import { endAll, endProcess, launcherOf, type Stage, type StageNode } from "../../flow/stage.ts";

/** What a strike was drawn with, numbers from 0 to 1: whom it hits, and for how long. */
export interface Drawn {
  readonly whom: number;
  readonly howLong: number;
}

/** Something that goes wrong. */
export interface Fault {
  readonly name: string;
  /** How often it is drawn, against the others. */
  readonly weight: number;
  /** Whether it can be done on this stage at all. */
  possible(stage: Stage): boolean;
  /**
   * Does it, and undoes it where it does not pass by itself; resolves, when all is over, with what was done, or with undefined
   * when there was nothing to hit.
   */
  strike(stage: Stage, drawn: Drawn): Promise<string | undefined>;
}

const always = () => true;
const hasNetwork = ({ nodes }: Stage) => nodes.every(({ network }) => network !== undefined);
const hasDisks = ({ nodes }: Stage) => nodes.every(({ disk }) => disk !== undefined);
const between = (least: number, most: number, share: number) => Math.round(least + (most - least) * share);

function nodeOf({ nodes }: Stage, { whom }: Drawn): StageNode {
  const node = nodes[Math.floor(whom * nodes.length)];
  if (node === undefined) throw new Error("a stage without nodes");
  return node;
}

/** A fault of one node, to which nothing else is done meanwhile. */
function nodeFault(
  name: string,
  weight: number,
  possible: (stage: Stage) => boolean,
  work: (node: StageNode, howLong: number, stage: Stage) => Promise<string | undefined>,
): Fault {
  return {
    name,
    weight,
    possible,
    strike(stage, drawn) {
      const node = nodeOf(stage, drawn);
      return alone(stage, [node.id], async () => {
        const words = await work(node, drawn.howLong, stage);
        return words === undefined ? undefined : `${node.id} ${words}`.trim();
      });
    },
  };
}

interface RunningRank {
  /** Its attempt and number, as its directory has them. */
  readonly name: string;
  readonly pid: number;
  /** Whether it has said anything yet. */
  readonly atWork: boolean;
}

/** Ranks with a process, of all nodes: what their start records say and no exit record does. */
function runningRanks(stage: Stage): readonly RunningRank[] {
  return stage.nodes.flatMap(({ dir }) =>
    globSync(join(dir, "attempts/*/rank-*/started.json")).flatMap((file) => {
      if (existsSync(join(dirname(file), "exit.json"))) return [];
      const pid = Number(/"pid": ?(\d+)/.exec(textOf(file))?.[1]);
      if (Number.isNaN(pid)) return [];
      const name = file.split("/").slice(-3, -1).join("/");
      return [{ name, pid, atWork: textOf(join(dirname(file), "records.bin")) !== "" }];
    }),
  );
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // Its attempt was forgotten meanwhile.
  }
}

/** Does it while nothing else is done to these parts; undefined when something is. */
async function alone(
  { busy }: Stage,
  parts: readonly string[],
  work: () => Promise<string | undefined>,
): Promise<string | undefined> {
  if (parts.some((part) => busy.has(part))) return undefined;
  for (const part of parts) busy.add(part);
  try {
    return await work();
  } finally {
    for (const part of parts) busy.delete(part);
  }
}

function rankOf(stage: Stage, { whom }: Drawn) {
  const ranks = runningRanks(stage);
  return ranks[Math.floor(whom * ranks.length)];
}

const struckServices: readonly ProcessName[] = ["scheduler", "tracking", "gateway", "nats", "mongod"];

/** All that a storm is made of. */
export const faults: readonly Fault[] = [
  {
    name: "rank killed",
    weight: 5,
    possible: always,
    async strike(stage, drawn) {
      const rank = rankOf(stage, drawn);
      if (rank === undefined) return undefined;
      endProcess(rank.pid);
      return rank.name;
    },
  },
  {
    name: "rank stopped",
    weight: 3,
    possible: always,
    async strike(stage, drawn) {
      const rank = rankOf(stage, drawn);
      if (rank === undefined) return undefined;
      // One in three is never woken, if it is at work already: what finds it then is that its gang makes no step.
      const forGood = drawn.howLong > 2 / 3 && rank.atWork;
      const ms = between(500, 5_000, drawn.howLong);
      endProcess(rank.pid, "SIGSTOP");
      if (forGood) return `${rank.name} for good`;
      await delay(ms);
      endProcess(rank.pid, "SIGCONT");
      return `${rank.name} for ${ms} ms`;
    },
  },
  nodeFault("agent killed", 3, always, async ({ agent }, howLong) => {
    const ms = between(100, 3_000, howLong);
    await agent.kill(ms);
    await agent.up();
    return `back after ${ms} ms`;
  }),
  nodeFault("power lost", 2, always, async ({ agent, dir }, howLong) => {
    const ms = between(500, 9_000, howLong);
    await agent.kill(ms);
    await endAll(dir);
    await agent.up();
    return `back after ${ms} ms`;
  }),
  nodeFault("launcher killed", 1, always, async ({ dir }) => {
    const pid = await launcherOf(dir);
    if (pid === undefined) return undefined;
    endProcess(pid);
    return "";
  }),
  nodeFault("link cut", 3, hasNetwork, async ({ network }, howLong) => {
    const ms = between(500, 12_000, howLong);
    network?.cut();
    await delay(ms);
    network?.heal();
    return `for ${ms} ms`;
  }),
  {
    name: "nodes cut apart",
    weight: 1,
    possible: (stage) => stage.nodes.length > 1 && hasNetwork(stage),
    strike(stage, drawn) {
      const one = nodeOf(stage, drawn);
      const other = stage.nodes[(stage.nodes.indexOf(one) + 1) % stage.nodes.length] ?? one;
      const ms = between(500, 8_000, drawn.howLong);
      return alone(stage, [one.id, other.id], async () => {
        if (one.network === undefined || other.network === undefined) return undefined;
        one.network.cutFrom(other.network);
        await delay(ms);
        one.network.healFrom(other.network);
        return `${one.id} and ${other.id} for ${ms} ms`;
      });
    },
  },
  nodeFault("disk full", 2, hasDisks, async ({ disk }, howLong) => {
    const ms = between(500, 5_000, howLong);
    disk?.fill();
    await delay(ms);
    disk?.free();
    return `for ${ms} ms`;
  }),
  {
    name: "service killed",
    weight: 4,
    possible: always,
    async strike(stage, { whom }) {
      const name = struckServices[Math.floor(whom * struckServices.length)];
      if (name === undefined) return undefined;
      return alone(stage, [name], async () => {
        await stage.fleet.kill(name);
        // A strike at one that is down waits for it, and would hit it the moment it is up: on a machine so busy that a start
        // takes as long as the pause between two strikes, it would never serve.
        await stage.fleet.up(name);
        return name;
      });
    },
  },
  nodeFault("node drained", 1, always, async ({ id: nodeId }, howLong, { admin }) => {
    const ms = between(500, 5_000, howLong);
    const order = { requestId: randomUUID(), nodeId, reason: "storm", deadlineSeconds: 2n };
    await insist("the drain", () => admin.scheduler.drainNode(order));
    await delay(ms);
    const back = { requestId: randomUUID(), nodeId };
    await insist("the uncordon", () => admin.scheduler.uncordonNode(back));
    return `for ${ms} ms`;
  }),
];

/** One fault of those that are possible, by a number from 0 to 1. */
export function drawFault(possible: readonly Fault[], at: number): Fault {
  const total = possible.reduce((sum, { weight }) => sum + weight, 0);
  let left = at * total;
  const found = possible.find(({ weight }) => {
    left -= weight;
    return left < 0;
  });
  if (found === undefined) throw new Error("no fault is possible");
  return found;
}
