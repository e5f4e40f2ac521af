import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DescService } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { tracking } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { checkoutRoot, type Platform, preparePlatform } from "@trainyard/local";
import { createSigner, rpcClient } from "@trainyard/service";
import { testLogger, waitFor } from "@trainyard/testing";
import { BusLink, TelemetryPublisher } from "@trainyard/worker-agent";
import { MongoClient } from "mongodb";

const project = "default";
const CALL_TIMEOUT_MS = 120_000;

/** Tracking as a process of its own on servers of its own, and whoever talks to it. */
export interface TrackingStage {
  readonly dir: string;
  readonly metrics: Client<typeof tracking.MetricService>;
  readonly tracking: Client<typeof tracking.TrackingService>;
  readonly runs: Client<typeof tracking.RunService>;
  readonly agent: Client<typeof tracking.TrackingService>;
  readonly publisher: TelemetryPublisher;
  /** A run with its first attempt open. */
  openRun(): Promise<string>;
  /** The service's database, for what only the database can tell. */
  database(): Promise<MongoClient>;
  stop(): Promise<void>;
}

/** Starts it in a temporary folder; `nodeArgs` go to tracking's node, such as --cpu-prof. */
export async function startStage(nodeArgs: readonly string[] = []): Promise<TrackingStage> {
  const dir = mkdtempSync(join(tmpdir(), "trainyard-bench-tracking-"));
  const platform: Platform = await preparePlatform(join(dir, "platform"), { ports: "free" });
  await platform.addAgent("bench");
  const servers = await platform.startServers({ dieWithParent: true });
  const service = await startTracking(platform, nodeArgs);
  const url = platform.url("tracking");
  const agentEnv = platform.serviceEnv("worker-agent", { nodeId: "bench" });
  const link = new BusLink({
    servers: platform.natsUrl,
    name: "bench",
    seed: readFileSync(agentEnv.TRAINYARD_NATS_SEED_FILE ?? "", "utf8"),
    logger: testLogger("bench"),
  });
  await link.start();
  const user = <S extends DescService>(schema: S) => asUser(platform, schema, url);
  const as = async (keyFile: string | undefined) => {
    const signer = await createSigner(keyFile ?? "");
    return rpcClient(tracking.TrackingService, url, { signer, timeoutMs: CALL_TIMEOUT_MS });
  };
  const scheduler = await as(platform.serviceEnv("scheduler").TRAINYARD_KEY_FILE);
  let client: MongoClient | undefined;
  return {
    dir,
    metrics: await user(tracking.MetricService),
    tracking: await user(tracking.TrackingService),
    runs: await user(tracking.RunService),
    agent: await as(agentEnv.TRAINYARD_KEY_FILE),
    publisher: new TelemetryPublisher(link, testLogger("bench")),
    async openRun() {
      const runId = newId("run");
      await scheduler.openAttempt({ runId, jobId: newId("job"), attempt: 1, project });
      return runId;
    },
    async database() {
      client ??= await MongoClient.connect(platform.serviceEnv("tracking").TRAINYARD_MONGODB_URI ?? "");
      return client;
    },
    async stop() {
      await client?.close();
      await link.stop();
      service.kill("SIGTERM");
      await once(service, "exit");
      await servers.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function startTracking(platform: Platform, nodeArgs: readonly string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [...nodeArgs, join(checkoutRoot, "services/tracking/main.ts")], {
    cwd: checkoutRoot,
    stdio: ["ignore", "ignore", "inherit"],
    env: {
      PATH: process.env.PATH ?? "",
      HOME: process.env.HOME ?? "/",
      ...platform.serviceEnv("tracking"),
      TRAINYARD_LOG_LEVEL: "warn",
    },
  });
  await waitFor("tracking", async () => (await fetch(`${platform.url("tracking")}/readyz`)).ok, {
    timeoutMs: 60_000,
    intervalMs: 50,
  });
  return child;
}

/** As the gateway calls for a user. */
async function asUser<S extends DescService>(platform: Platform, schema: S, url: string): Promise<Client<S>> {
  const gateway = await createSigner(platform.serviceEnv("gateway").TRAINYARD_KEY_FILE ?? "");
  const ada = { name: "ada", kind: "user", roles: ["admin"], project } as const;
  let token = { text: await gateway.sign(ada, 3_600_000), untilMs: Date.now() + 3_000_000 };
  return rpcClient(schema, url, {
    timeoutMs: CALL_TIMEOUT_MS,
    token: async () => {
      if (Date.now() > token.untilMs)
        token = { text: await gateway.sign(ada, 3_600_000), untilMs: Date.now() + 3_000_000 };
      return token.text;
    },
  });
}
