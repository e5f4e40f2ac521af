import { readFile } from "node:fs/promises";
import { openBlobStore } from "@trainyard/blob";
import { connectBus } from "@trainyard/bus";
import { dataset } from "@trainyard/contracts";
import { type App, createApp, createHealth, createVerifier, type Part, rpcServer } from "@trainyard/service";
import { ensureIndexes, openStore, outboxRelay } from "@trainyard/store";
import type { Logger } from "@trainyard/telemetry";
import { access } from "./api/access.ts";
import { datasetService } from "./api/dataset-service.ts";
import type { DatasetConfig } from "./config.ts";
import { createSlots } from "./register/slots.ts";
import { workFolder } from "./register/work-folder.ts";
import { DatasetRepository } from "./store/dataset-repository.ts";
import { indexes } from "./store/documents.ts";

/** What the dataset service needs from whoever runs it. */
export interface DatasetDeps {
  readonly logger: Logger;
}

/** A dataset service that can be started; `url` tells where it listens once it is. */
export interface DatasetApp extends App {
  readonly url: string;
}

/** Connects and composes the dataset service; the only place that constructs its parts. */
export async function build(config: DatasetConfig, { logger }: DatasetDeps): Promise<DatasetApp> {
  const verifier = await createVerifier(config.jwksFile);
  const blobs = openBlobStore(config.blobUrl);
  const store = await openStore({ uri: config.mongodbUri, database: config.mongodbDatabase, logger });
  const seed = config.natsSeedFile === undefined ? {} : { seed: await readFile(config.natsSeedFile, "utf8") };
  const bus = await connectBus({ servers: config.natsUrl, name: "dataset", logger, ...seed });
  await ensureIndexes(store, indexes);
  const work = workFolder(config.datasetWorkDir);
  const health = createHealth({ checks: { mongodb: () => store.ping(), nats: () => bus.probe() } });
  const service = datasetService({
    store,
    repository: new DatasetRepository(store),
    blobs,
    workFolder: work,
    slots: createSlots(config.registrationConcurrency),
    limits: { memoryMb: config.duckdbMemoryMb, threads: config.duckdbThreads },
  });
  const server = rpcServer({
    name: "dataset",
    host: config.listenHost,
    port: config.listenPort,
    routes: (router) => router.service(dataset.DatasetService, service),
    access,
    verifier,
    health,
    logger,
  });
  const parts = [
    closing("database connection", () => store.close()),
    closing("bus connection", () => bus.close()),
    work,
    outboxRelay({ store, bus, service: "dataset", logger }),
    server,
  ];
  const app = createApp({ name: "dataset", logger, health, parts });
  return {
    ...app,
    get url() {
      return server.url;
    },
  };
}

function closing(name: string, stop: () => Promise<void>): Part {
  return { name, start: async () => undefined, stop };
}
