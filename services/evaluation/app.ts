import { openBlobStore } from "@trainyard/blob";
import { dataset, evaluation, registry, scheduler } from "@trainyard/contracts";
import { type App, createApp, layFoundation, rpcClient, rpcServer } from "@trainyard/service";
import { eventConsumer } from "@trainyard/store";
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

/** Connects and composes the evaluation service; the only place that constructs its parts. */
export async function build(config: EvaluationConfig, { logger }: EvaluationDeps): Promise<App> {
  const foundation = await layFoundation("evaluation", config, logger, indexes);
  const { store, bus, signer, health } = foundation;
  const suites = new SuiteRepository(store);
  const evaluations = new EvaluationRepository(store);
  const datasets = rpcClient(dataset.DatasetService, config.datasetUrl, { signer });
  const models = rpcClient(registry.RegistryService, config.registryUrl, { signer });
  const jobs = rpcClient(scheduler.SchedulerService, config.schedulerUrl, { signer });
  const blobs = openBlobStore(config.blobUrl);
  const worker = evaluationWorker({ store, suites, evaluations, datasets, jobs, blobs, logger });
  const deps = { store, suites, evaluations, datasets, models, wake: worker.wake };
  const server = rpcServer({
    ...foundation.server,
    routes: (router) => router.service(evaluation.EvaluationService, evaluationService(deps)),
    access,
  });
  const parts = [
    ...foundation.parts,
    worker,
    eventConsumer({
      store,
      bus,
      logger,
      name: "evaluation-models",
      from: "registry",
      handlers: [evaluateNewVersion(deps, logger)],
    }),
    eventConsumer({
      store,
      bus,
      logger,
      name: "evaluation-runs",
      from: "tracking",
      handlers: [noteRunEnded(deps, logger)],
    }),
    server,
  ];
  return createApp({ name: "evaluation", logger, parts, health });
}
