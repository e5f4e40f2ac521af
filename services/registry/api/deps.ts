import type { Client } from "@connectrpc/connect";
import type { tracking } from "@trainyard/contracts";
import type { Store } from "@trainyard/store";
import type { HoldFiles } from "../hold-files.ts";
import type { ModelRepository } from "../store/model-repository.ts";

/** What the handlers and consumers work with. */
export interface RegistryParts {
  readonly store: Store;
  readonly repository: ModelRepository;
  readonly holdFiles: HoldFiles;
  readonly runs: Client<typeof tracking.TrackingService>;
}
