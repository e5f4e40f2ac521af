import { readFile } from "node:fs/promises";
import { openBlobStore } from "@trainyard/blob";
import { type Bus, connectBus, declareStream, eventStreamSpec, telemetryStreamSpec } from "@trainyard/bus";
import {
  type App,
  createApp,
  createHealth,
  createVerifier,
  type Part,
  type RpcServer,
  rpcServer,
} from "@trainyard/service";
import { eventConsumer, openStore, outboxRelay, type Store } from "@trainyard/store";
import type { Logger } from "@trainyard/telemetry";
import { access } from "./api/access.ts";
import { routes } from "./api/routes.ts";
import type { TrackingConfig } from "./config.ts";
import { attemptEnded } from "./consumers/attempt-ended.ts";
import { attemptStarted } from "./consumers/attempt-started.ts";
import { jobEnded } from "./consumers/job-ended.ts";
import { jobSubmitted } from "./consumers/job-submitted.ts";
import { telemetryConsumer } from "./consumers/telemetry.ts";
import type { Deps } from "./deps.ts";
import { createRunSignals } from "./run-signals.ts";
import { createRecords, prepareRecords } from "./store/records.ts";

const name = "tracking";
/** An event is only buried when its handler fails for hours: an outage of the database is no fault of the event's. */
const MAX_EVENT_DELIVERIES = 500;
/** Short, since a running handler extends it: what a killed process had taken comes again this soon. */
const EVENT_ACK_WAIT_MS = 5_000;

/** The service, and where it answers. */
export interface TrackingApp extends App {
  readonly server: RpcServer;
}

/** Connects to everything and puts the parts together; nothing works before `start`. */
export async function build(
  config: TrackingConfig,
  { logger }: { readonly logger: Logger },
): Promise<TrackingApp> {
  const verifier = await createVerifier(config.jwksFile);
  const blobs = await openBlobStore(config.blobUrl);
  const store = await openStore({ uri: config.mongodbUri, database: config.mongodbDatabase, logger });
  const seed = config.natsSeedFile === undefined ? {} : { seed: await readFile(config.natsSeedFile, "utf8") };
  const bus = await connectBus({ servers: config.natsUrl, name, logger, ...seed });
  const deps: Deps = {
    store,
    records: createRecords(store),
    blobs,
    signals: createRunSignals(),
    logger,
    now: () => new Date(),
  };
  const health = createHealth({ checks: { mongodb: () => store.ping(), nats: () => bus.probe() } });
  const server = rpcServer({
    name,
    host: config.listenHost,
    port: config.listenPort,
    routes: routes(deps),
    access,
    verifier,
    health,
    logger,
  });
  const parts: Part[] = [
    connections(store, bus),
    outboxRelay({ store, bus, service: name, logger }),
    jobsConsumer(deps, bus),
    telemetryConsumer(deps, bus),
    server,
  ];
  return { ...createApp({ name, logger, parts, health }), server };
}

/** First to start and last to stop: the database's indexes, this service's streams, and the connections' end. */
function connections(store: Store, bus: Bus): Part {
  return {
    name: "connections",
    async start() {
      await prepareRecords(store);
      await declareStream(bus, eventStreamSpec(name));
      await declareStream(bus, telemetryStreamSpec());
    },
    async stop() {
      await bus.close();
      await store.close();
    },
  };
}

function jobsConsumer(deps: Deps, bus: Bus): Part {
  return eventConsumer({
    store: deps.store,
    bus,
    logger: deps.logger,
    name: "tracking-jobs",
    from: "scheduler",
    handlers: [jobSubmitted(deps), attemptStarted(deps), attemptEnded(deps), jobEnded(deps)],
    maxDeliver: MAX_EVENT_DELIVERIES,
    ackWaitMs: EVENT_ACK_WAIT_MS,
  });
}
