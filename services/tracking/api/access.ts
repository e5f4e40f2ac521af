import type { AccessRule, AccessTable } from "@trainyard/service";

const service = "trainyard.tracking.v1.TrackingService";
const artifacts = "trainyard.tracking.v1.ArtifactService";

/** Whoever may look, and the other services. */
const read: AccessRule = { roles: ["viewer"], kinds: ["service"] };
const submit: AccessRule = { roles: ["submitter"], kinds: ["service"] };
const agent: AccessRule = { kinds: ["agent"] };

/** Who may call what. */
export const access: AccessTable = {
  [`${service}/CreateExperiment`]: submit,
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
  [`${service}/ReportRecovery`]: agent,
  [`${service}/LogArtifact`]: agent,
  [`${service}/LogModel`]: agent,
  [`${service}/GetTelemetryOffsets`]: agent,
  [`${artifacts}/PutArtifact`]: submit,
  [`${artifacts}/DeleteArtifact`]: submit,
  [`${artifacts}/GetArtifact`]: read,
  [`${artifacts}/ListArtifactTree`]: read,
  [`${service}/ExportRuns`]: { roles: ["admin"], kinds: ["service"] },
};
