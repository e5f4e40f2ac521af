import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { dataset, evaluation, registry, scheduler, tracking } from "@trainyard/contracts";
import { type AccessTable, methodPath } from "@trainyard/service";

/** The services behind the gateway, by the name that their address has in the configuration. */
export const upstreamServices = {
  scheduler: [scheduler.SchedulerService, scheduler.SecretService],
  tracking: [
    tracking.TrackingService,
    tracking.RunService,
    tracking.ExperimentService,
    tracking.MetricService,
    tracking.ArtifactService,
  ],
  dataset: [dataset.DatasetService],
  evaluation: [evaluation.EvaluationService],
  registry: [registry.RegistryService, registry.CatalogService, registry.LoggedModelService],
} as const satisfies Record<string, readonly DescService[]>;

export type UpstreamName = keyof typeof upstreamServices;

export const upstreamNames: readonly UpstreamName[] = [
  "scheduler",
  "tracking",
  "dataset",
  "evaluation",
  "registry",
];

const track = tracking.TrackingService.method;
const runs = tracking.RunService.method;
const artifacts = tracking.ArtifactService.method;

/** What only the platform's own parts call, and not through the gateway. */
const internal = new Set<DescMethod>([
  track.openAttempt,
  track.holdCheckpoint,
  track.reportCheckpointPart,
  track.reportRecovery,
  track.logArtifact,
  track.logRunFacts,
  track.logModel,
  track.getTelemetryOffsets,
  scheduler.SecretService.method.fetchSecrets,
]);

/** What a rank may call, for its own run: each has the run's id in the field run_id. */
const rankCallable = new Set<DescMethod>([
  track.getRun,
  track.getMetricHistory,
  tracking.MetricService.method.logMetrics,
  track.tailRun,
  track.readLogs,
  track.listCheckpoints,
  track.listArtifacts,
  runs.updateRun,
  runs.logParams,
  runs.setRunTags,
  runs.deleteRunTags,
  runs.logInputs,
  artifacts.getArtifact,
  artifacts.listArtifactTree,
  artifacts.previewArtifact,
  artifacts.logMedia,
  artifacts.listMedia,
]);

/** Every method that the gateway forwards to a service. */
export function methodsOf(name: UpstreamName): readonly DescMethod[] {
  return upstreamServices[name].flatMap((service: DescService) => service.methods);
}

export function isInternal(method: DescMethod): boolean {
  return internal.has(method);
}

/**
 * Who gets through: any user, and ranks for what is theirs. Which role a call needs is the services' decision; a second
 * table here could only disagree with theirs.
 */
export const proxyAccess: AccessTable = Object.fromEntries(
  upstreamNames
    .flatMap(methodsOf)
    .map((method) => [
      methodPath(method),
      { kinds: rankCallable.has(method) ? (["user", "rank"] as const) : (["user"] as const) },
    ]),
);
