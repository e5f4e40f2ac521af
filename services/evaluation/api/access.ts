import type { AccessTable } from "@trainyard/service";

const service = "trainyard.evaluation.v1.EvaluationService";
const read = { roles: ["viewer"], kinds: ["service"] } as const;

/** Who may call what. */
export const access: AccessTable = {
  [`${service}/ApplySuite`]: { roles: ["submitter"] },
  [`${service}/GetSuite`]: read,
  [`${service}/ListSuites`]: read,
  [`${service}/StartEvaluation`]: { roles: ["submitter"] },
  [`${service}/GetEvaluation`]: read,
  [`${service}/ListEvaluations`]: read,
  [`${service}/ExportEvaluations`]: { roles: ["admin"] },
};
