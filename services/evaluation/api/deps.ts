import type { Client } from "@connectrpc/connect";
import type { dataset, registry } from "@trainyard/contracts";
import type { Store } from "@trainyard/store";
import type { EvaluationRepository } from "../store/evaluation-repository.ts";
import type { SuiteRepository } from "../store/suite-repository.ts";

/** What the handlers and consumers work with. */
export interface EvaluationParts {
  readonly store: Store;
  readonly suites: SuiteRepository;
  readonly evaluations: EvaluationRepository;
  readonly datasets: Client<typeof dataset.DatasetService>;
  readonly models: Client<typeof registry.RegistryService>;
  /** Tells the worker that something may be due. */
  wake(): void;
}
