import { openBlobStore } from "@trainyard/blob";
import { dataset, tracking } from "@trainyard/contracts";
import {
  type App,
  createApp,
  type Foundation,
  layFoundation,
  rpcClient,
  rpcServer,
} from "@trainyard/service";
import { lease } from "@trainyard/store";
import type { Logger } from "@trainyard/telemetry";
import { access } from "./api/access.ts";
import { schedulerRoutes } from "./api/scheduler-service.ts";
import { createBusProbe } from "./bus-probe.ts";
import type { Config } from "./config.ts";
import { heartbeats } from "./consumers/heartbeats.ts";
import { createFleet } from "./fleet.ts";
import { openDesiredBucket } from "./leader/desired-bucket.ts";
import { leaderLoop } from "./leader/leader-loop.ts";
import { openSecretBox } from "./secret-box.ts";
import { createStacks } from "./stacks.ts";
import { createJobs, jobIndexes } from "./store/jobs.ts";
import { createNodeOrders, nodeOrderIndexes } from "./store/node-orders.ts";
import { createNodes, nodeIndexes } from "./store/nodes.ts";
import { createQueues, queueIndexes } from "./store/queues.ts";
import { createSecrets, secretIndexes } from "./store/secrets.ts";
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
  const indexes = [...jobIndexes, ...nodeIndexes, ...nodeOrderIndexes, ...queueIndexes, ...secretIndexes];
  const foundation = await layFoundation("scheduler", config, logger, indexes);
  return compose(config, foundation, logger);
}

async function compose(config: Config, foundation: Foundation, logger: Logger): Promise<SchedulerApp> {
  const { store, bus, signer, verifier, health } = foundation;
  const blobs = openBlobStore(config.blobUrl);
  const secretBox = await openSecretBox(config.secretsKeyFile);
  const jobs = createJobs(store);
  const nodes = createNodes(store);
  const queues = createQueues(store);
  const nodeOrders = createNodeOrders(store);
  const stacks = createStacks({ bus, signer, logger });
  const fleet = createFleet();
  const wake = createWake();
  await queues.ensureDefault(new Date());

  const probe = createBusProbe({ bus, everyMs: config.busProbeEveryMs, logger });
  const leadership = lease({
    store,
    name: "scheduler-leader",
    holder: `scheduler ${process.pid}`,
    ttlMs: config.leaderTtlMs,
  });
  const trackingClient = rpcClient(tracking.TrackingService, config.trackingUrl, { signer });
  const leader = leaderLoop({
    config,
    lease: leadership,
    jobs,
    nodes,
    nodeOrders,
    stacks,
    fleet,
    probe,
    tracking: trackingClient,
    bucket: await openDesiredBucket({ bus, signer, verifier, logger }),
    rankToken: (run, attempt, project) =>
      signer.sign({ name: run, kind: "rank", roles: [], project, run, attempt }, RANK_TOKEN_TTL_MS),
    wake,
    logger,
  });
  const datasets = rpcClient(dataset.DatasetService, config.datasetUrl, { signer });
  const server = rpcServer({
    ...foundation.server,
    routes: schedulerRoutes({
      store,
      jobs,
      nodes,
      queues,
      blobs,
      datasets,
      tracking: trackingClient,
      wake,
      nodeOrders,
      secrets: createSecrets(store, secretBox),
      secretBox,
      stacks,
      latest: (nodeId) => fleet.latest(nodeId),
    }),
    access,
  });
  const app = createApp({
    name: "scheduler",
    logger,
    health,
    parts: [...foundation.parts, probe, heartbeats({ bus, fleet, wake, logger }), leadership, leader, server],
  });
  return {
    ...app,
    get url() {
      return server.url;
    },
  };
}
