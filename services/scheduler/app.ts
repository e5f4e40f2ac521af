import { readFile } from "node:fs/promises";
import { type BlobStore, openBlobStore } from "@trainyard/blob";
import { type Bus, connectBus } from "@trainyard/bus";
import { dataset, tracking } from "@trainyard/contracts";
import {
  type App,
  createApp,
  createHealth,
  createSigner,
  createVerifier,
  rpcClient,
  rpcServer,
  type Signer,
} from "@trainyard/service";
import { ensureIndexes, lease, openStore, outboxRelay, type Store } from "@trainyard/store";
import type { Logger } from "@trainyard/telemetry";
import { access } from "./api/access.ts";
import { schedulerRoutes } from "./api/scheduler-service.ts";
import { createBusProbe } from "./bus-probe.ts";
import type { Config } from "./config.ts";
import { heartbeats } from "./consumers/heartbeats.ts";
import { createFleet } from "./fleet.ts";
import { openDesiredBucket } from "./leader/desired-bucket.ts";
import { leaderLoop } from "./leader/leader-loop.ts";
import { createJobs, jobIndexes } from "./store/jobs.ts";
import { createNodes, nodeIndexes } from "./store/nodes.ts";
import { createQueues, queueIndexes } from "./store/queues.ts";
import { createWake } from "./wake.ts";

/** What a process brings along. */
export interface Deps {
  readonly logger: Logger;
}

/** A scheduler that can be started; `url` tells where it listens once it is. */
export interface SchedulerApp extends App {
  readonly url: string;
}

/** Ranks' tokens outlive any attempt that is reasonable; they are limited to their run and attempt. */
const RANK_TOKEN_TTL_MS = 7 * 24 * 60 * 60 * 1000;

/** Builds the scheduler: connects to the database and the bus, and composes the parts. Nothing runs before `start`. */
export async function build(config: Config, { logger }: Deps): Promise<SchedulerApp> {
  const store = await openStore({
    uri: config.mongodbUri,
    database: config.mongodbDatabase,
    logger,
    appName: "scheduler",
  });
  const bus = await connect(config, logger);
  const signer = await createSigner(config.keyFile);
  const verifier = await createVerifier(config.jwksFile);
  return compose(config, { logger, store, bus, signer, verifier, blobs: openBlobStore(config.blobUrl) });
}

async function connect(config: Config, logger: Logger): Promise<Bus> {
  const seed = config.natsSeedFile === undefined ? undefined : await readFile(config.natsSeedFile);
  return connectBus({
    servers: config.natsUrl,
    name: "scheduler",
    logger,
    ...(seed === undefined ? {} : { seed }),
  });
}

interface Connected extends Deps {
  readonly store: Store;
  readonly bus: Bus;
  readonly signer: Signer;
  readonly verifier: Awaited<ReturnType<typeof createVerifier>>;
  readonly blobs: BlobStore;
}

async function compose(config: Config, deps: Connected): Promise<SchedulerApp> {
  const { logger, store, bus, signer, verifier, blobs } = deps;
  const jobs = createJobs(store);
  const nodes = createNodes(store);
  const queues = createQueues(store);
  const fleet = createFleet();
  const wake = createWake();
  await ensureIndexes(store, [...jobIndexes, ...nodeIndexes, ...queueIndexes]);
  await queues.ensureDefault(new Date());

  const probe = createBusProbe({ bus, everyMs: config.busProbeEveryMs, logger });
  const leadership = lease({
    store,
    name: "scheduler-leader",
    holder: `scheduler ${process.pid}`,
    ttlMs: config.leaderTtlMs,
  });
  const leader = leaderLoop({
    config,
    lease: leadership,
    jobs,
    nodes,
    fleet,
    probe,
    tracking: rpcClient(tracking.TrackingService, config.trackingUrl, { signer }),
    bucket: await openDesiredBucket({ bus, signer, verifier, logger }),
    rankToken: (run, attempt, project) =>
      signer.sign({ name: run, kind: "rank", roles: [], project, run, attempt }, RANK_TOKEN_TTL_MS),
    wake,
    logger,
  });
  const health = createHealth({ checks: { mongodb: () => store.ping(), nats: () => bus.probe() } });
  const datasets = rpcClient(dataset.DatasetService, config.datasetUrl, { signer });
  const server = rpcServer({
    name: "scheduler",
    host: config.listenHost,
    port: config.listenPort,
    routes: schedulerRoutes({
      store,
      jobs,
      nodes,
      queues,
      blobs,
      datasets,
      wake,
      lastHeardAt: (nodeId) => fleet.latest(nodeId)?.heardAt,
    }),
    access,
    verifier,
    health,
    logger,
  });
  const closing = (name: string, close: () => Promise<void>) => ({
    name,
    start: async () => {},
    stop: close,
  });
  const app = createApp({
    name: "scheduler",
    logger,
    health,
    parts: [
      closing("database connection", () => store.close()),
      closing("bus connection", () => bus.close()),
      outboxRelay({ store, bus, service: "scheduler", logger }),
      probe,
      heartbeats({ bus, fleet, wake, logger }),
      leadership,
      leader,
      server,
    ],
  });
  return {
    ...app,
    get url() {
      return server.url;
    },
  };
}
