import type { AccessTable } from "@trainyard/service";

const service = "trainyard.registry.v1.RegistryService";
const read = { roles: ["viewer"], kinds: ["service"] } as const;

/** Who may call what. That an approver is not the submitter is decided per version, in the domain. */
export const access: AccessTable = {
  [`${service}/RegisterModelVersion`]: { roles: ["submitter"] },
  [`${service}/GetModel`]: read,
  [`${service}/ListModels`]: read,
  [`${service}/GetModelVersion`]: read,
  [`${service}/ListModelVersions`]: read,
  [`${service}/ListStageChanges`]: read,
  [`${service}/ApproveModelVersion`]: { roles: ["approver"] },
  [`${service}/TransitionModelVersion`]: { roles: ["submitter", "approver"] },
  [`${service}/RollbackModel`]: { roles: ["approver"] },
  [`${service}/ExportModelVersions`]: { roles: ["admin"] },
};
