import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  type FirstTokens,
  firstTokens,
  firstTokensFile,
  type Platform,
  type PlatformServers,
  preparePlatform,
  type ServiceName,
  serviceNames,
} from "@trainyard/local";
import { killServers, type ServiceProcess, spawnAgent, spawnService } from "@trainyard/testing";
import { Kept } from "./kept.ts";

/** Everything of a platform that can be killed. */
export const processNames = [...serviceNames, "agent", "nats", "mongod"] as const;
export type ProcessName = (typeof processNames)[number];

/** A platform in which every part is a process of its own, kept running as a service manager would. */
export interface Fleet {
  readonly platform: Platform;
  readonly servers: PlatformServers;
  readonly tokens: FirstTokens;
  readonly agentDir: string;
  /** Ends a part with SIGKILL, once it is up if it is down just now; it is started again a moment later. */
  kill(name: ProcessName): Promise<void>;
  /** Waits until a part is up. */
  up(name: ProcessName): Promise<void>;
  /** How often a part has been started. */
  starts(name: ProcessName): number;
  /** How often a part has died. */
  deaths(name: ProcessName): number;
  /** What a part has printed, over all of its starts. */
  output(name: ProcessName): string;
  stop(): Promise<void>;
}

export interface FleetOptions {
  readonly dir: string;
  /** More environment variables by process: a crash point, an OTLP endpoint. */
  readonly env?: Partial<Record<ProcessName, Readonly<Record<string, string>>>>;
  readonly slots?: number;
  /** Where services and the bus listen; loopback unless given. */
  readonly listenHost?: string;
  /** Whether this machine is a node itself, as it is unless told. */
  readonly localAgent?: boolean;
  /** How long a part stays down after it died; long enough, unless given, that others notice. */
  readonly downMs?: number;
}

const DOWN_MS = 300;
const nodeId = "node_local";

/** Starts the whole platform with one agent and waits until every part is ready. */
export async function startFleet({
  dir,
  env = {},
  slots = 2,
  downMs = DOWN_MS,
  listenHost = "127.0.0.1",
  localAgent = true,
}: FleetOptions): Promise<Fleet> {
  const platform = await preparePlatform(join(dir, "platform"), { ports: "free", listenHost });
  await platform.addAgent(nodeId, { slots });
  const servers = await platform.startServers({ dieWithParent: true });
  const tokensFile = firstTokensFile(platform.dir);
  const common = { OTEL_BSP_SCHEDULE_DELAY: "200" };
  const kept = new Map<ProcessName, Kept>();
  const serverDeaths: ProcessName[] = [];
  const deathsOf = (server: ProcessName) => serverDeaths.filter((name) => name === server).length;
  const keep = (name: ProcessName, spawn: () => Promise<ServiceProcess>) =>
    kept.set(name, new Kept(name, spawn, downMs));
  for (const service of serviceNames) {
    const own = { ...common, ...extraEnv(service, tokensFile), ...env[service] };
    keep(service, () => spawnService(platform, service, own));
  }
  if (localAgent) keep("agent", () => spawnAgent(platform, nodeId, { ...common, ...env.agent }));
  const stop = async () => {
    // Services first, so that none complains of servers that went away.
    await Promise.all([...kept.values()].map((one) => one.stop()));
    await killServers(servers);
  };
  const started = await Promise.allSettled([...kept.values()].map((one) => one.start()));
  for (const result of started) {
    if (result.status === "fulfilled") continue;
    await stop();
    throw result.reason;
  }
  const ownDir = platform.serviceEnv("worker-agent", { nodeId }).TRAINYARD_AGENT_DIR ?? "";

  return {
    platform,
    servers,
    tokens: firstTokens(platform.dir),
    agentDir: ownDir,
    async kill(name) {
      if (name === "nats" || name === "mongod") {
        const server = servers[name];
        serverDeaths.push(name);
        await server.kill("SIGKILL");
        await delay(downMs);
        await server.restart();
      } else {
        await kept.get(name)?.kill();
      }
    },
    // Those that are not kept are up when their kill is over.
    up: async (name) => kept.get(name)?.up(),
    starts: (name) => kept.get(name)?.starts ?? 1 + deathsOf(name),
    deaths: (name) => kept.get(name)?.deaths ?? deathsOf(name),
    output: (name) => kept.get(name)?.output ?? "",
    stop,
  };
}

function extraEnv(service: ServiceName, tokensFile: string): Readonly<Record<string, string>> {
  return service === "gateway" ? { TRAINYARD_BOOTSTRAP_FILE: tokensFile } : {};
}
