import type { Client } from "@connectrpc/connect";
import type { BlobStore } from "@trainyard/blob";
import type { dataset, scheduler } from "@trainyard/contracts";
import type { Store } from "@trainyard/store";
import type { Logger } from "@trainyard/telemetry";
import type { EvaluationRepository } from "../store/evaluation-repository.ts";
import type { SuiteRepository } from "../store/suite-repository.ts";

/** What the worker's steps work with. */
export interface WorkerDeps {
  readonly store: Store;
  readonly suites: SuiteRepository;
  readonly evaluations: EvaluationRepository;
  readonly datasets: Client<typeof dataset.DatasetService>;
  readonly jobs: Client<typeof scheduler.SchedulerService>;
  readonly blobs: Pick<BlobStore, "stat" | "open">;
  readonly logger: Logger;
}
