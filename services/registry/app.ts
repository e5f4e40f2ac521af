import { readFile } from "node:fs/promises";
import { connectBus } from "@trainyard/bus";
import { registry, tracking } from "@trainyard/contracts";
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
import { registryService } from "./api/registry-service.ts";
import type { RegistryConfig } from "./config.ts";
import { recordGate } from "./consumers/evaluation-ended.ts";
import { registerTrainedModel } from "./consumers/run-ended.ts";
import { indexes } from "./store/documents.ts";
import { ModelRepository } from "./store/model-repository.ts";

/** What the registry needs from whoever runs it. */
export interface RegistryDeps {
  readonly logger: Logger;
}

/** Connects and composes the registry; the only place that constructs its parts. */
export async function build(config: RegistryConfig, { logger }: RegistryDeps): Promise<App> {
  const store = await openStore({ uri: config.mongodbUri, database: config.mongodbDatabase, logger });
  const seed = config.natsSeedFile === undefined ? undefined : await readFile(config.natsSeedFile, "utf8");
  const bus = await connectBus({
    servers: config.natsUrl,
    name: "registry",
    logger,
    ...(seed === undefined ? {} : { seed }),
  });
  const [signer, verifier] = await Promise.all([
    createSigner(config.keyFile),
    createVerifier(config.jwksFile),
  ]);
  await ensureIndexes(store, indexes);
  const repository = new ModelRepository(store);
  const runs = rpcClient(tracking.TrackingService, config.trackingUrl, { signer });
  const health = createHealth({ checks: { mongodb: () => store.ping(), nats: () => bus.probe() } });
  const deps = { store, repository, runs };
  const server = rpcServer({
    name: "registry",
    host: config.listenHost,
    port: config.listenPort,
    routes: (router) => router.service(registry.RegistryService, registryService(deps)),
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
    outboxRelay({ store, bus, service: "registry", logger }),
    eventConsumer({
      store,
      bus,
      logger,
      name: "registry-runs",
      from: "tracking",
      handlers: [registerTrainedModel(deps, logger)],
    }),
    eventConsumer({
      store,
      bus,
      logger,
      name: "registry-gates",
      from: "evaluation",
      handlers: [recordGate(deps, logger)],
    }),
    server,
  ];
  return createApp({ name: "registry", logger, parts, health });
}
