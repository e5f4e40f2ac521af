import type { Client } from "@connectrpc/connect";
import type { BlobStore } from "@trainyard/blob";
import type { tracking } from "@trainyard/contracts";
import type { Store } from "@trainyard/store";
import type { FileHolds } from "../hold-files.ts";
import type { LoggedModels } from "../store/logged-models.ts";
import type { ModelRepository } from "../store/model-repository.ts";

/** What the handlers and consumers work with. */
export interface RegistryParts {
  readonly store: Store;
  readonly repository: ModelRepository;
  readonly holds: FileHolds;
  readonly loggedModels: LoggedModels;
  readonly blobs: BlobStore;
  readonly runs: Client<typeof tracking.TrackingService>;
}
