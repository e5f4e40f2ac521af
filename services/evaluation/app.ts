import { readFile } from "node:fs/promises";
import { openBlobStore } from "@trainyard/blob";
import { connectBus } from "@trainyard/bus";
import { dataset, evaluation, registry, scheduler } from "@trainyard/contracts";
import {
  type App,
  createApp,
  createHealth,
  createSigner,
  createVerifier,
  rpcClient,
  rpcServer,
} from "@trainyard/service";
import { ensureIndexes, eventConsumer, openStore, outboxRelay } from "@trainyard/store";
import type { Logger } from "@trainyard/telemetry";
import { access } from "./api/access.ts";
import { evaluationService } from "./api/evaluation-service.ts";
import type { EvaluationConfig } from "./config.ts";
import { evaluateNewVersion } from "./consumers/model-version-created.ts";
import { noteRunEnded } from "./consumers/run-ended.ts";
import { indexes } from "./store/documents.ts";
import { EvaluationRepository } from "./store/evaluation-repository.ts";
import { SuiteRepository } from "./store/suite-repository.ts";
import { evaluationWorker } from "./worker/worker.ts";

/** What the evaluation service needs from whoever runs it. */
export interface EvaluationDeps {
  readonly logger: Logger;
}

/**
 * How long an event in the hands of a replica that has died waits for another one. A handler that lives extends it, so it is
 * short: a person waits for the verdict.
 */
const ackWaitMs = 5_000;

/** Connects and composes the evaluation service; the only place that constructs its parts. */
export async function build(config: EvaluationConfig, { logger }: EvaluationDeps): Promise<App> {
  const store = await openStore({ uri: config.mongodbUri, database: config.mongodbDatabase, logger });
  const seed = config.natsSeedFile === undefined ? undefined : await readFile(config.natsSeedFile, "utf8");
  const bus = await connectBus({
    servers: config.natsUrl,
    name: "evaluation",
    logger,
    ...(seed === undefined ? {} : { seed }),
  });
  const [signer, verifier] = await Promise.all([
    createSigner(config.keyFile),
    createVerifier(config.jwksFile),
  ]);
  await ensureIndexes(store, indexes);
  const suites = new SuiteRepository(store);
  const evaluations = new EvaluationRepository(store);
  const datasets = rpcClient(dataset.DatasetService, config.datasetUrl, { signer });
  const models = rpcClient(registry.RegistryService, config.registryUrl, { signer });
  const jobs = rpcClient(scheduler.SchedulerService, config.schedulerUrl, { signer });
  const blobs = openBlobStore(config.blobUrl);
  const worker = evaluationWorker({ store, suites, evaluations, datasets, jobs, blobs, logger });
  const deps = { store, suites, evaluations, datasets, models, wake: worker.wake };
  const health = createHealth({ checks: { mongodb: () => store.ping(), nats: () => bus.probe() } });
  const server = rpcServer({
    name: "evaluation",
    host: config.listenHost,
    port: config.listenPort,
    routes: (router) => router.service(evaluation.EvaluationService, evaluationService(deps)),
    access,
    verifier,
    health,
    logger,
  });
  const connections = {
    name: "connections",
    start: async () => undefined,
    stop: async () => {
      await bus.close();
      await store.close();
    },
  };
  const parts = [
    connections,
    outboxRelay({ store, bus, service: "evaluation", logger }),
    worker,
    eventConsumer({
      store,
      bus,
      logger,
      ackWaitMs,
      name: "evaluation-models",
      from: "registry",
      handlers: [evaluateNewVersion(deps, logger)],
    }),
    eventConsumer({
      store,
      bus,
      logger,
      ackWaitMs,
      name: "evaluation-runs",
      from: "tracking",
      handlers: [noteRunEnded(deps, logger)],
    }),
    server,
  ];
  return createApp({ name: "evaluation", logger, parts, health });
}
