import type { AccessTable } from "@trainyard/service";

const service = "trainyard.registry.v1.RegistryService";
const catalog = "trainyard.registry.v1.CatalogService";
const logged = "trainyard.registry.v1.LoggedModelService";
const read = { roles: ["viewer"], kinds: ["service"] } as const;
const write = { roles: ["submitter"] } as const;
/** Also as the gateway itself, for a rank that logs into its own run. */
const log = { roles: ["submitter"], kinds: ["service"] } as const;

/** Who may call what. That an approver is not the submitter is decided per version, in the domain. */
export const access: AccessTable = {
  [`${service}/RegisterModelVersion`]: { roles: ["submitter"] },
  [`${service}/GetModel`]: read,
  [`${service}/ListModels`]: read,
  [`${service}/GetModelVersion`]: read,
  [`${service}/ListModelVersions`]: read,
  [`${service}/ListStageChanges`]: read,
  [`${service}/ApproveModelVersion`]: { roles: ["approver"] },
  [`${service}/WaiveUntrackedData`]: { roles: ["approver"] },
  [`${service}/TransitionModelVersion`]: { roles: ["submitter", "approver"] },
  [`${service}/RollbackModel`]: { roles: ["approver"] },
  [`${service}/ExportModelVersions`]: { roles: ["admin"] },
  [`${catalog}/CreateModel`]: write,
  [`${catalog}/UpdateModel`]: write,
  [`${catalog}/DeleteModel`]: write,
  [`${catalog}/SetModelTags`]: write,
  [`${catalog}/DeleteModelTags`]: write,
  [`${catalog}/SetModelAlias`]: write,
  [`${catalog}/DeleteModelAlias`]: write,
  [`${catalog}/UpdateModelVersion`]: write,
  [`${catalog}/DeleteModelVersion`]: write,
  [`${catalog}/SetModelVersionTags`]: write,
  [`${catalog}/DeleteModelVersionTags`]: write,
  [`${catalog}/SearchModels`]: read,
  [`${catalog}/SearchModelVersions`]: read,
  [`${logged}/CreateLoggedModel`]: log,
  [`${logged}/UpdateLoggedModel`]: log,
  [`${logged}/LogModelMetrics`]: log,
  [`${logged}/DeleteLoggedModel`]: log,
  [`${logged}/PutLoggedModelFile`]: log,
  [`${logged}/DeleteLoggedModelFiles`]: log,
  [`${logged}/LinkLoggedModels`]: log,
  [`${logged}/GetLoggedModel`]: read,
  [`${logged}/SearchLoggedModels`]: read,
  [`${logged}/ListLoggedModelFiles`]: read,
  [`${logged}/ListModelMetrics`]: read,
  [`${logged}/ListModelLinks`]: read,
};
