import { existsSync } from "node:fs";
import { join } from "node:path";
import { scheduler } from "@trainyard/contracts";
import {
  atFileEnd,
  type NetworkNode,
  type SmallDisk,
  smallDisk,
  spawnAgent,
  type TestNetwork,
  testNetwork,
  waitFor,
} from "@trainyard/testing";
import { readLauncherRecord } from "@trainyard/worker-agent";
import { type FlowClients, flowClients } from "./clients.ts";
import { type Fleet, startFleet } from "./fleet.ts";
import { Kept } from "./kept.ts";
import { agentDir } from "./leftovers.ts";
import { rankProcesses } from "./rank-processes.ts";

/** A node that things can be done to. */
export interface StageNode {
  readonly id: string;
  readonly dir: string;
  readonly agent: Kept;
  /** Absent where this machine lets nobody make network namespaces. */
  readonly network?: NetworkNode;
  /** The agent's folder, where it is a disk of its own. */
  readonly disk?: SmallDisk;
}

/** A platform whose every part can be harmed. */
export interface Stage {
  readonly fleet: Fleet;
  readonly nodes: readonly StageNode[];
  readonly user: FlowClients;
  readonly admin: FlowClients;
  /** Parts that something is being done to: nodes by their id, services by their name. */
  readonly busy: Set<string>;
  /** What cannot be done here, in words. */
  readonly missing: readonly string[];
  stop(): Promise<void>;
}

/** What a stage has. */
export interface StageOptions {
  readonly nodes: number;
  /** Of each node. */
  readonly slots: number;
  /** Whether nodes have networks of their own, where this machine permits it. */
  readonly networks?: boolean;
  /** Whether agents' folders are small disks of their own, where this machine permits it. */
  readonly disks?: boolean;
  readonly agentEnv?: Readonly<Record<string, string>>;
  readonly schedulerEnv?: Readonly<Record<string, string>>;
}

/** Enough for a launcher's log, a few attempts and their code. */
const DISK_MIB = 192;
const AGENT_DOWN_MS = 300;

/** Starts a platform with so many nodes, whose launchers are warm. */
export async function setStage(dir: string, options: StageOptions): Promise<Stage> {
  const missing: string[] = [];
  const count = options.nodes;
  const network =
    options.networks === true ? tried(() => testNetwork(count), missing, "links are not cut") : undefined;
  const fleet = await startFleet({
    dir,
    localAgent: false,
    env: { scheduler: options.schedulerEnv ?? {} },
    ...(network === undefined ? {} : { listenHost: network.hostAddress }),
  });
  const nodes: StageNode[] = [];
  for (let index = 0; index < count; index++)
    nodes.push(await addNode(fleet, index, options, network, missing));
  await Promise.all(nodes.map(({ agent }) => agent.start()));
  const url = fleet.platform.url("gateway");
  const user = flowClients(url, fleet.tokens.submitter);
  const stage: Stage = {
    fleet,
    nodes,
    user,
    admin: flowClients(url, fleet.tokens.admin),
    busy: new Set(),
    missing: [...new Set(missing)],
    async stop() {
      await Promise.all(nodes.map(({ agent }) => agent.stop()));
      // Agents leave their ranks, and their launchers, to the next one.
      for (const { dir: folder } of nodes) {
        await endAll(folder);
      }
      await fleet.stop();
      for (const { disk } of nodes) disk?.remove();
    },
  };
  await waitFor("every node", async () => (await readyNodes(stage)) === count, { timeoutMs: 180_000 });
  await launchersServe(stage);
  return stage;
}

/** How many nodes take work now. */
export async function readyNodes({ user }: Pick<Stage, "user">): Promise<number> {
  const { nodes } = await user.scheduler.listNodes({});
  return nodes.filter(({ state, unusable }) => state === scheduler.NodeState.READY && unusable === "").length;
}

/** Waits until ranks start warm on every node. */
export async function launchersServe({ nodes }: Pick<Stage, "nodes">): Promise<void> {
  for (const { id, dir } of nodes)
    await waitFor(`the launcher of ${id}`, () => launcherOf(dir), { timeoutMs: 240_000, intervalMs: 100 });
}

/** The process id of the launcher that serves in an agent's folder, if one does. */
export async function launcherOf(dir: string): Promise<number | undefined> {
  const pid = (await readLauncherRecord(join(dir, "launcher")))?.pid;
  // The record of one that was killed stays until the next one serves.
  return pid !== undefined && existsSync(`/proc/${pid}`) ? pid : undefined;
}

/** Ends all that an agent has started in its folder. */
export async function endAll(dir: string): Promise<void> {
  const launcher = await launcherOf(dir);
  if (launcher !== undefined) endProcess(launcher);
  for (const { pid } of rankProcesses([dir])) endProcess(pid);
}

/** Ends a process that may be gone already. */
export function endProcess(pid: number, signal: NodeJS.Signals = "SIGKILL"): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone.
  }
}

async function addNode(
  fleet: Fleet,
  index: number,
  options: StageOptions,
  network: TestNetwork | undefined,
  missing: string[],
): Promise<StageNode> {
  const id = `node_${index + 1}`;
  await fleet.platform.addAgent(id, { slots: options.slots });
  const dir = agentDir(fleet.platform, id);
  const disk =
    options.disks === true ? tried(() => smallDisk(dir, DISK_MIB), missing, "no disk is filled") : undefined;
  const env = { TRAINYARD_LAUNCHER: "warm", ...options.agentEnv };
  const on = network?.nodes[index];
  // Where nobody gets to stop the stage, as at Ctrl-C: after the agents, which would start new ones.
  atFileEnd(() => endAll(dir));
  const agent = new Kept(id, () => spawnAgent(fleet.platform, id, env, { on }), AGENT_DOWN_MS);
  return {
    id,
    dir,
    agent,
    ...(on === undefined ? {} : { network: on }),
    ...(disk === undefined ? {} : { disk }),
  };
}

/** Makes what takes rights that not every machine gives; undefined, with the reason among `missing`, where it does not. */
function tried<T>(make: () => T, missing: string[], consequence: string): T | undefined {
  try {
    return make();
  } catch (error) {
    missing.push(`${consequence}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
