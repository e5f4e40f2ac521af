import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DescService } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { tracking } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { type Platform, type PlatformServers, preparePlatform, type ServiceName } from "@trainyard/local";
import { createSigner, rpcClient } from "@trainyard/service";
import { killServers, type ServiceProcess, spawnService, testLogger } from "@trainyard/testing";
import { BusLink, TelemetryPublisher } from "@trainyard/worker-agent";
import { MongoClient } from "mongodb";

const project = "default";
const nodeId = "stage";
const CALL_TIMEOUT_MS = 120_000;

/** Tracking as a process of its own on servers of its own, and whoever talks to it. */
export interface TrackingStage {
  readonly dir: string;
  readonly platform: Platform;
  readonly servers: PlatformServers;
  readonly metrics: Client<typeof tracking.MetricService>;
  readonly tracking: Client<typeof tracking.TrackingService>;
  readonly runs: Client<typeof tracking.RunService>;
  readonly agent: Client<typeof tracking.TrackingService>;
  readonly publisher: TelemetryPublisher;
  /** A run with its first attempt open. */
  openRun(): Promise<string>;
  /** The service's database, for what only the database can tell. */
  database(): Promise<MongoClient>;
  /** Ends tracking with SIGKILL. */
  killTracking(): Promise<void>;
  /** Starts it again on the same port, and waits until it is ready. */
  restartTracking(): Promise<void>;
  stop(): Promise<void>;
}

/** How the stage is set up. */
export interface StageOptions {
  /** More variables of tracking, such as NODE_OPTIONS. */
  readonly env?: Readonly<Record<string, string>>;
  /** Services that run beside tracking, with more variables. */
  readonly beside?: Partial<Record<ServiceName, Readonly<Record<string, string>>>>;
}

/** Starts it in a temporary folder. */
export async function startStage({ env = {}, beside = {} }: StageOptions = {}): Promise<TrackingStage> {
  const dir = mkdtempSync(join(tmpdir(), "trainyard-tracking-"));
  const platform = await preparePlatform(join(dir, "platform"), { ports: "free" });
  await platform.addAgent(nodeId);
  const servers = await platform.startServers({ dieWithParent: true });
  const spawn = (service: ServiceName, more: Readonly<Record<string, string>> = {}) =>
    spawnService(platform, service, { TRAINYARD_LOG_LEVEL: "warn", ...more });
  let service: ServiceProcess = await spawn("tracking", env);
  const others = await Promise.all(
    Object.entries(beside).map(([name, more]) => spawn(name as ServiceName, more)), // Its keys are names of services.
  );
  const url = platform.url("tracking");
  const agentEnv = platform.serviceEnv("worker-agent", { nodeId });
  const link = new BusLink({
    servers: platform.natsUrl,
    // As an agent of that node is named, which is what the bus lets it answer under.
    name: `agent-${nodeId}`,
    seed: readFileSync(agentEnv.TRAINYARD_NATS_SEED_FILE ?? "", "utf8"),
    logger: testLogger("stage"),
  });
  await link.start();
  const user = await asUser(platform, url);
  const as = async (keyFile: string | undefined) => {
    const signer = await createSigner(keyFile ?? "");
    return rpcClient(tracking.TrackingService, url, { signer, timeoutMs: CALL_TIMEOUT_MS });
  };
  const scheduler = await as(platform.serviceEnv("scheduler").TRAINYARD_KEY_FILE);
  let client: MongoClient | undefined;
  return {
    dir,
    platform,
    servers,
    metrics: user(tracking.MetricService),
    tracking: user(tracking.TrackingService),
    runs: user(tracking.RunService),
    agent: await as(agentEnv.TRAINYARD_KEY_FILE),
    publisher: new TelemetryPublisher(link, testLogger("stage")),
    async openRun() {
      const runId = newId("run");
      await scheduler.openAttempt({ runId, jobId: newId("job"), attempt: 1, project });
      return runId;
    },
    async database() {
      client ??= await MongoClient.connect(platform.serviceEnv("tracking").TRAINYARD_MONGODB_URI ?? "");
      return client;
    },
    async killTracking() {
      await service.kill("SIGKILL");
    },
    async restartTracking() {
      service = await spawn("tracking", env);
    },
    async stop() {
      await client?.close();
      await link.stop();
      await Promise.all([service, ...others].map((each) => each.kill("SIGTERM")));
      await killServers(servers);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** As the gateway calls for a user. */
async function asUser(
  platform: Platform,
  url: string,
): Promise<<S extends DescService>(schema: S) => Client<S>> {
  const gateway = await createSigner(platform.serviceEnv("gateway").TRAINYARD_KEY_FILE ?? "");
  const ada = { name: "ada", kind: "user", roles: ["admin"], project } as const;
  let signed: { readonly text: string; readonly untilMs: number } | undefined;
  const token = async () => {
    if (signed === undefined || Date.now() > signed.untilMs)
      signed = { text: await gateway.sign(ada, 3_600_000), untilMs: Date.now() + 3_000_000 };
    return signed.text;
  };
  return (schema) => rpcClient(schema, url, { timeoutMs: CALL_TIMEOUT_MS, token });
}
