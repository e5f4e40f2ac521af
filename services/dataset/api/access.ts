import type { AccessTable } from "@trainyard/service";

const method = (name: string) => `trainyard.dataset.v1.DatasetService/${name}`;
const read = { roles: ["viewer"], kinds: ["service"] } as const;

/** Who may call what. Services read: the scheduler resolves what a job names. */
export const access: AccessTable = {
  [method("RegisterDatasetVersion")]: { roles: ["submitter"] },
  [method("GetDatasetVersion")]: read,
  [method("ListDatasets")]: read,
  [method("ListDatasetVersions")]: read,
  [method("ResolveDatasetVersion")]: read,
  [method("DeprecateDatasetVersion")]: { roles: ["submitter"] },
  [method("ExportDatasetVersions")]: { roles: ["admin"] },
};
