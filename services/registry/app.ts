import { openBlobStore } from "@trainyard/blob";
import { registry, tracking } from "@trainyard/contracts";
import { type App, createApp, layFoundation, rpcClient, rpcServer } from "@trainyard/service";
import { eventConsumer, runMigrations } from "@trainyard/store";
import type { Logger } from "@trainyard/telemetry";
import { access } from "./api/access.ts";
import { catalogService } from "./api/catalog-service.ts";
import { loggedModelService } from "./api/logged-model-service.ts";
import { registryService } from "./api/registry-service.ts";
import type { RegistryConfig } from "./config.ts";
import { recordGate } from "./consumers/evaluation-ended.ts";
import { registerTrainedModel } from "./consumers/run-ended.ts";
import { keepVersionFiles } from "./consumers/version-files.ts";
import { fileHolds } from "./hold-files.ts";
import { filesWatch } from "./settle-files.ts";
import { indexes } from "./store/documents.ts";
import { createLoggedModels, loggedModelIndexes } from "./store/logged-models.ts";
import { migrations } from "./store/migrations.ts";
import { ModelRepository } from "./store/model-repository.ts";
import { unsettledFilesIndexes } from "./store/unsettled-files.ts";

/** What the registry needs from whoever runs it. */
export interface RegistryDeps {
  readonly logger: Logger;
}

/** Connects and composes the registry; the only place that constructs its parts. */
export async function build(config: RegistryConfig, { logger }: RegistryDeps): Promise<App> {
  const foundation = await layFoundation("registry", config, logger, [
    ...indexes,
    ...loggedModelIndexes,
    ...unsettledFilesIndexes,
  ]);
  const { store, bus, signer, health } = foundation;
  await runMigrations(store, migrations, { holder: "registry" });
  const repository = new ModelRepository(store);
  const runs = rpcClient(tracking.TrackingService, config.trackingUrl, { signer });
  const blobs = openBlobStore(config.blobUrl);
  const loggedModels = createLoggedModels(store);
  const holds = fileHolds(blobs, repository);
  const deps = { store, repository, loggedModels, blobs, runs, holds };
  const server = rpcServer({
    ...foundation.server,
    routes(router) {
      router.service(registry.RegistryService, registryService(deps));
      router.service(registry.CatalogService, catalogService(deps));
      router.service(registry.LoggedModelService, loggedModelService(deps));
    },
    access,
  });
  const parts = [
    ...foundation.parts,
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
      name: "registry-files",
      from: "registry",
      handlers: [...keepVersionFiles(holds)],
    }),
    eventConsumer({
      store,
      bus,
      logger,
      name: "registry-gates",
      from: "evaluation",
      handlers: [recordGate(deps, logger)],
    }),
    filesWatch({ holds, unsettled: repository.unsettled, logger }),
    server,
  ];
  return createApp({ name: "registry", logger, parts, health });
}
