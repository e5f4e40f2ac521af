import type { AccessRule, AccessTable } from "@trainyard/service";

const service = "trainyard.tracking.v1.TrackingService";

/** Whoever may look, and the other services. */
const read: AccessRule = { roles: ["viewer"], kinds: ["service"] };
const agent: AccessRule = { kinds: ["agent"] };

/** Who may call what. */
export const access: AccessTable = {
  [`${service}/CreateExperiment`]: { roles: ["submitter"], kinds: ["service"] },
  [`${service}/ListExperiments`]: read,
  [`${service}/GetRun`]: read,
  [`${service}/ListRuns`]: read,
  [`${service}/GetMetricHistory`]: read,
  [`${service}/TailRun`]: read,
  [`${service}/ReadLogs`]: read,
  [`${service}/ListCheckpoints`]: read,
  [`${service}/ListArtifacts`]: read,
  [`${service}/OpenAttempt`]: { kinds: ["service"] },
  [`${service}/ReportCheckpointPart`]: agent,
  [`${service}/LogArtifact`]: agent,
  [`${service}/LogModel`]: agent,
  [`${service}/GetTelemetryOffsets`]: agent,
  [`${service}/ExportRuns`]: { roles: ["admin"], kinds: ["service"] },
};
