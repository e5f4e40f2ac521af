import type { AccessRule, AccessTable } from "@trainyard/service";

const service = "trainyard.tracking.v1.TrackingService";
const metrics = "trainyard.tracking.v1.MetricService";
const runs = "trainyard.tracking.v1.RunService";
const experiments = "trainyard.tracking.v1.ExperimentService";
const artifacts = "trainyard.tracking.v1.ArtifactService";

/** Whoever may look, and the other services. */
const read: AccessRule = { roles: ["viewer"], kinds: ["service"] };
/** Whoever may submit; a rank writes about its own run through the gateway, which is a service. */
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
  [`${service}/HoldCheckpoint`]: { kinds: ["service"] },
  [`${service}/ReportCheckpointPart`]: agent,
  [`${service}/ReportRecovery`]: agent,
  [`${service}/LogArtifact`]: agent,
  [`${service}/LogRunFacts`]: agent,
  [`${service}/LogModel`]: agent,
  [`${service}/GetTelemetryOffsets`]: agent,
  [`${metrics}/LogMetrics`]: submit,
  [`${metrics}/LogMetricStream`]: submit,
  [`${metrics}/GetSeries`]: read,
  [`${metrics}/GetSummaries`]: read,
  [`${runs}/CreateRun`]: submit,
  [`${runs}/UpdateRun`]: submit,
  [`${runs}/LogParams`]: submit,
  [`${runs}/SetRunTags`]: submit,
  [`${runs}/DeleteRunTags`]: submit,
  [`${runs}/LogInputs`]: submit,
  [`${runs}/HeartbeatRun`]: submit,
  [`${runs}/DeleteRun`]: submit,
  [`${runs}/ArchiveRun`]: submit,
  [`${runs}/RestoreRun`]: submit,
  [`${runs}/AddNote`]: submit,
  [`${runs}/DeleteNote`]: submit,
  [`${runs}/ListNotes`]: read,
  [`${runs}/SetFavourite`]: read,
  [`${runs}/SearchRuns`]: read,
  [`${experiments}/GetExperiment`]: read,
  [`${experiments}/SearchExperiments`]: read,
  [`${experiments}/UpdateExperiment`]: submit,
  [`${experiments}/SetExperimentTags`]: submit,
  [`${experiments}/DeleteExperimentTags`]: submit,
  [`${experiments}/DeleteExperiment`]: submit,
  [`${experiments}/RestoreExperiment`]: submit,
  [`${artifacts}/PutArtifact`]: submit,
  [`${artifacts}/DeleteArtifact`]: submit,
  [`${artifacts}/PreviewArtifact`]: read,
  [`${artifacts}/LogMedia`]: submit,
  [`${artifacts}/ListMedia`]: read,
  [`${artifacts}/BeginUpload`]: submit,
  [`${artifacts}/PresignParts`]: submit,
  [`${artifacts}/CompleteUpload`]: submit,
  [`${artifacts}/AbortUpload`]: submit,
  [`${artifacts}/CollectGarbage`]: { roles: ["admin"] },
  [`${artifacts}/GetArtifact`]: read,
  [`${artifacts}/ListArtifactTree`]: read,
  [`${service}/ExportRuns`]: { roles: ["admin"], kinds: ["service"] },
};
