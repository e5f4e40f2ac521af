import { openBlobStore } from "@trainyard/blob";
import { dataset } from "@trainyard/contracts";
import { type App, createApp, layFoundation, rpcServer } from "@trainyard/service";
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
  const foundation = await layFoundation("dataset", config, logger, indexes);
  const { store, health } = foundation;
  const work = workFolder(config.datasetWorkDir);
  const service = datasetService({
    store,
    repository: new DatasetRepository(store),
    blobs: openBlobStore(config.blobUrl),
    workFolder: work,
    slots: createSlots(config.registrationConcurrency),
    limits: { memoryMb: config.duckdbMemoryMb, threads: config.duckdbThreads },
  });
  const server = rpcServer({
    ...foundation.server,
    routes: (router) => router.service(dataset.DatasetService, service),
    access,
  });
  const parts = [...foundation.parts, work, server];
  const app = createApp({ name: "dataset", logger, health, parts });
  return {
    ...app,
    get url() {
      return server.url;
    },
  };
}
