import type { Store } from "@trainyard/store";
import type { PrepareDeps } from "../register/prepare-version.ts";
import type { DatasetRepository } from "../store/dataset-repository.ts";

/** What the RPCs work with. */
export interface DatasetParts extends PrepareDeps {
  readonly store: Store;
  readonly repository: DatasetRepository;
}
