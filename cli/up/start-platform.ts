import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  type AgentRecord,
  firstTokensFile,
  type Platform,
  type Ports,
  preparePlatform,
  type ServiceName,
  serviceNames,
} from "@trainyard/local";
import type { App } from "@trainyard/service";
import { createLogger, type LogLevel, redactText, startTelemetry } from "@trainyard/telemetry";
import { assertPortsFree } from "./assert-ports-free.ts";
import { lockData } from "./data-lock.ts";
import type { LogFile } from "./log-file.ts";
import { nodeName } from "./node-name.ts";
import { removePlatformFile, writePlatformFile } from "./platform-file.ts";
import { guardServers } from "./server-guard.ts";
import { type BuildService, loadAgent, loadService } from "./services.ts";
import { giveWay, giveWayToRanks, takeBackWay } from "./session-weight.ts";
import { StopList } from "./stop-list.ts";

/** How the platform of one machine is started. */
export interface StartOptions {
  readonly dataDir: string;
  readonly ports: "default" | "free" | Partial<Ports>;
  readonly listenHost: string;
  /** The blob store, where it is not a folder of the state folder. */
  readonly blobUrl?: string;
  /** Slots of this machine's agent; left out for what it had, at first one per core. */
  readonly slots?: number;
  readonly agent: boolean;
  /** Opened once the folder is this process's. */
  readonly openLog: (path: string) => LogFile;
  readonly logLevel: LogLevel;
}

/** A platform that runs in this process. */
export interface RunningPlatform {
  readonly platform: Platform;
  readonly agent?: AgentRecord;
  readonly tokensFile: string;
  readonly logFile: string;
  /** Stops in order, leaving nothing behind; never throws, says what did not stop. */
  stop(): Promise<readonly string[]>;
}

/**
 * Starts nats-server, mongod, every service and one agent. What takes long goes on at the same time: the servers start
 * while the services' code is loaded. A failure half way stops what was started.
 */
export async function startPlatform(options: StartOptions): Promise<RunningPlatform> {
  const dir = resolve(options.dataDir);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const lock = lockData(dir);
  const stops = new StopList();
  stops.add("state folder", async () => lock.release());
  try {
    const log = options.openLog(join(dir, "logs/trainyard.log"));
    stops.add("log", () => log.close());
    const telemetry = await startTelemetry({ service: "trainyard" });
    stops.add("telemetry", () => telemetry.shutdown());
    const loading = loadAll(options.agent);
    loading.catch(() => undefined); // Awaited below; a failure before that is the one to tell.
    const { ports, listenHost, blobUrl } = options;
    const platform = await preparePlatform(dir, { ports, listenHost, blobUrl });
    await assertPortsFree(platform.ports, options.listenHost);
    const agent = options.agent ? await ensureAgent(platform, options.slots) : undefined;
    const logger = (service: string) => createLogger({ service, level: options.logLevel, destination: log });
    // They die with this process, however it dies: the next start finds the ports free and the data whole.
    const servers = await platform.startServers({ dieWithParent: true });
    stops.add("servers", () => servers.stop());
    const guard = guardServers(servers, logger("up"), options.agent ? giveWay : undefined);
    stops.add("server guard", () => guard.stop());
    if (options.agent) {
      stops.add("the session's weight", takeBackWay);
      await giveWayToRanks(servers);
    }
    const tokensFile = firstTokensFile(dir);
    await startServices(platform, await loading, agent, { stops, logger, tokensFile });
    stops.add("platform file", async () => removePlatformFile(dir));
    writePlatformFile(dir, {
      url: platform.url("gateway"),
      pid: process.pid,
      startedAt: new Date().toISOString(),
      dataDir: dir,
      natsUrl: platform.natsUrl,
      services: Object.fromEntries(serviceNames.map((name) => [name, platform.url(name)])),
      nodes: agent === undefined ? [] : [agent.nodeId],
    });
    return {
      platform,
      tokensFile,
      logFile: log.path,
      stop: () => stops.run(),
      ...(agent === undefined ? {} : { agent }),
    };
  } catch (error) {
    await stops.run();
    throw error;
  }
}

async function ensureAgent(platform: Platform, slots: number | undefined): Promise<AgentRecord> {
  const nodeId = platform.agents[0]?.nodeId ?? nodeName();
  return platform.addAgent(nodeId, slots === undefined ? {} : { slots });
}

interface Builders {
  readonly services: ReadonlyMap<ServiceName, BuildService>;
  readonly agent?: BuildService;
}

async function loadAll(withAgent: boolean): Promise<Builders> {
  const [agent, ...services] = await Promise.all([
    withAgent ? loadAgent() : undefined,
    ...serviceNames.map(async (name) => [name, await loadService[name]()] as const),
  ]);
  return { services: new Map(services), ...(agent === undefined ? {} : { agent }) };
}

interface Start {
  readonly stops: StopList;
  readonly logger: (service: string) => Parameters<BuildService>[1];
  readonly tokensFile: string;
}

/**
 * All at once: none needs another to start, each waits for the others where it calls them. They stop in an order: first
 * the agent, whose ranks' last words the services still take, then the edge, then the rest.
 */
async function startServices(
  platform: Platform,
  builders: Builders,
  agent: AgentRecord | undefined,
  { stops, logger, tokensFile }: Start,
): Promise<void> {
  const apps = new Map<string, App>();
  const stopApps = async (names: readonly string[]) => {
    const results = await Promise.allSettled(names.map((name) => apps.get(name)?.stop()));
    const failure = results.find((result) => result.status === "rejected");
    if (failure !== undefined) throw failure.reason;
  };
  stops.add("services", () => stopApps(serviceNames.filter((name) => name !== "gateway")));
  stops.add("gateway", () => stopApps(["gateway"]));
  stops.add("agent", () => stopApps(["worker-agent"]));

  const start = async (name: string, build: BuildService, env: Record<string, string>) => {
    try {
      const app = await build({ ...process.env, ...env }, logger(name), platform);
      apps.set(name, app);
      await app.start();
    } catch (cause) {
      logger(name).info({ err: cause }, "did not start");
      const why = redactText(cause instanceof Error ? cause.message : String(cause));
      throw new Error(`the ${name} did not start: ${why}`, { cause });
    }
  };
  const starts = [...builders.services].map(([name, build]) =>
    start(name, build, { ...platform.serviceEnv(name), TRAINYARD_BOOTSTRAP_FILE: tokensFile }),
  );
  if (agent !== undefined && builders.agent !== undefined) {
    const env = platform.serviceEnv("worker-agent", agent);
    starts.push(start("worker-agent", builders.agent, { ...env, TRAINYARD_ON_STOP: "stop" }));
  }
  // Settled, not the first failure: what is still being built could not be stopped.
  const failure = (await Promise.allSettled(starts)).find((result) => result.status === "rejected");
  if (failure !== undefined) throw failure.reason;
}
