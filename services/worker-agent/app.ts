import { readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { openBlobStore } from "@trainyard/blob";
import { scheduler, tracking } from "@trainyard/contracts";
import {
  type App,
  createApp,
  createHealth,
  createSigner,
  createVerifier,
  type Part,
  rpcClient,
  rpcServer,
} from "@trainyard/service";
import type { Logger } from "@trainyard/telemetry";
import type { Config } from "./config.ts";
import { shimEnvironment, uvEnvironment } from "./domain/rank-environment.ts";
import { rendezvousPlace } from "./domain/rendezvous-place.ts";
import { BusLink } from "./heartbeat/bus-link.ts";
import { GpuMonitor } from "./heartbeat/gpu-monitor.ts";
import { Heartbeat } from "./heartbeat/heartbeat.ts";
import { machineUsage } from "./heartbeat/machine-usage.ts";
import { nodeFacts } from "./heartbeat/node-facts.ts";
import { SelfFence } from "./heartbeat/self-fence.ts";
import { liveRanks, rankUsage, UsageMonitor } from "./heartbeat/usage-monitor.ts";
import { Launchers } from "./launcher/launchers.ts";
import { BlobCache } from "./prepare/blob-cache.ts";
import { CodeCache } from "./prepare/code-cache.ts";
import { DiskKeeper } from "./prepare/disk-keeper.ts";
import { makePython } from "./python/make-python.ts";
import { PythonEnvironments } from "./python/python-environments.ts";
import { sdkPlace } from "./python/sdk-place.ts";
import { pythonsOf } from "./ranks/pythons-of.ts";
import { openRankCgroups } from "./ranks/rank-cgroups.ts";
import { AgentNode } from "./reconcile/agent-node.ts";
import { DesiredWatch } from "./reconcile/desired-watch.ts";
import { StackAnswers } from "./stacks/stack-answers.ts";
import { TelemetryPublisher } from "./telemetry/publisher.ts";
import { RankSampler } from "./telemetry/sample-ranks.ts";

/** What the agent gets from its process. */
export interface Deps {
  readonly logger: Logger;
  /** The process's environment, of which the ranks get a small part. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Longer than a gang's usual grace, so that stopping with `onStop: stop` ends in order. */
const STOP_TIMEOUT_MS = 30_000;

/** Puts the agent together. Starts nothing; the app returned does. */
export async function build(config: Config, { logger, env }: Deps): Promise<App> {
  const stopping = new AbortController();
  const seed = config.natsSeedFile === undefined ? undefined : await readFile(config.natsSeedFile, "utf8");
  const [blobs, signer, verifier, facts] = await Promise.all([
    openBlobStore(config.blobUrl),
    createSigner(config.keyFile),
    createVerifier(config.jwksFile),
    nodeFacts(config),
  ]);
  const link = new BusLink({
    servers: config.natsUrl,
    name: `agent-${config.nodeId}`,
    ...(seed === undefined ? {} : { seed }),
    logger,
  });
  const cache = { blobs, signal: stopping.signal };
  const blobCache = new BlobCache({ ...cache, dir: join(config.agentDir, "cache", "blobs") });
  const codeCache = new CodeCache({ ...cache, dir: join(config.agentDir, "cache", "code") });
  const disk = new DiskKeeper({
    dir: config.agentDir,
    caches: [blobCache, codeCache],
    limitBytes: config.cacheLimitBytes,
    reserveBytes: config.diskReserveBytes,
    logger,
  });
  const shim = { python: config.python, env: shimEnvironment(env, config.sdkPath) };
  const sdk = once(() => sdkPlace(config.agentDir, config.sdkPath, config.python, shim.env));
  const launcher = new Launchers({
    mode: config.launcher,
    dir: join(config.agentDir, "launcher"),
    command: shim,
    onStop: config.onStop === "leave" ? "leave" : "stop",
    max: config.launchersMax,
    sdk,
    logger,
  });
  const attemptsDir = join(config.agentDir, "attempts");
  const environments = new PythonEnvironments({
    dir: join(config.agentDir, "cache", "python"),
    python: config.python,
    uv: config.uv,
    env: uvEnvironment(env),
    signal: stopping.signal,
    inUse: () => pythonsOf(attemptsDir),
    logger,
  });
  const gpus = new GpuMonitor({ enabled: facts.slotKind === "gpu", logger });
  const usage = new UsageMonitor({ ranks: () => liveRanks(node.statuses()), logger });
  const publisher = new TelemetryPublisher(link, logger);
  const samples = new RankSampler({ statuses: () => node.statuses(), publisher, logger });
  const node = new AgentNode({
    nodeId: config.nodeId,
    onStop: config.onStop,
    onChange: () => heartbeat.changed(),
    logger,
    attempts: {
      prepare: {
        attemptsDir,
        blobs,
        blobCache,
        codeCache,
        disk,
        dataRoots: config.dataRoots,
        secrets: rpcClient(scheduler.SecretService, config.schedulerUrl, { signer }),
      },
      link,
      publisher,
      tracking: rpcClient(tracking.TrackingService, config.trackingUrl, { signer }),
      blobs,
      shim,
      python: makePython(environments, sdk),
      launcher,
      node: {
        ...facts,
        rendezvous: rendezvousPlace(config, networkInterfaces()),
        sdkPath: config.sdkPath,
        cgroup: config.cgroup,
        path: env.PATH ?? "",
        gatewayUrl: config.gatewayUrl ?? "",
      },
      usage: (pid, slots) => rankUsage(usage.of(pid), facts.slotKind, slots, gpus),
      logger,
    },
  });
  const heartbeat = new Heartbeat({
    nodeId: config.nodeId,
    address: config.address,
    labels: config.labels,
    facts,
    link,
    attempts: () => node.statuses(),
    applied: () => node.applied,
    lifecycle: () => node.lifecycle,
    drainWithinMs: () => node.drainWithinMs,
    gpus,
    machine: machineUsage(config.agentDir),
    logger,
  });
  const fence = new SelfFence({
    probe: () => link.probe(),
    fenceAfterMs: config.fenceAfterMs,
    hasRanks: () => node.hasRanks,
    fence: () => node.stopAll("cut_off"),
    logger,
  });
  const desired = new DesiredWatch({
    nodeId: config.nodeId,
    link,
    verifier,
    apply: (state) => node.apply(state),
    logger,
  });
  const stacks = new StackAnswers({
    nodeId: config.nodeId,
    link,
    verifier,
    capture: (of, logAs) => node.stacks(of, logAs),
    logger,
  });
  // Stopped first of all: while the node drains, the scheduler's orders still come.
  const drain: Part = {
    name: "drain",
    start: async () => undefined,
    stop: async (signal) =>
      config.onStop === "drain" ? node.drain(config.drainWithinMs, signal) : undefined,
  };
  const stopTimeoutMs = STOP_TIMEOUT_MS + (config.onStop === "drain" ? config.drainWithinMs : 0);
  const health = createHealth({ checks: { nats: () => link.probe() } });
  const server = rpcServer({
    name: "worker-agent",
    host: config.listenHost,
    port: config.listenPort,
    routes: () => undefined,
    access: {},
    verifier,
    health,
    logger,
  });
  const caches: Part = {
    name: "caches",
    start: async () => {
      await Promise.all([blobCache.open(), codeCache.open(), environments.open()]);
      if (config.cgroup !== undefined) await openRankCgroups(config.cgroup);
    },
    stop: async () => undefined,
  };
  // Stopped before the attempts, which would otherwise wait for what they are fetching.
  const fetches: Part = {
    name: "fetches",
    start: async () => undefined,
    stop: async () => stopping.abort(new Error("the agent is stopping")),
  };
  // Attempts early: ranks of an earlier agent are watched although the bus is away.
  const parts = [
    caches,
    disk,
    launcher,
    gpus,
    usage,
    link,
    samples,
    heartbeat,
    node,
    fetches,
    fence,
    desired,
    stacks,
    server,
    drain,
  ];
  return createApp({ name: "worker-agent", logger, parts, health, stopTimeoutMs });
}

/** Asks once, and again only after a failure. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined;
  return async () => {
    asked ??= ask();
    try {
      return await asked;
    } catch (error) {
      asked = undefined;
      throw error;
    }
  };
}
