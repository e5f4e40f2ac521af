import { openBlobStore } from "@trainyard/blob";
import { type Bus, declareStream, telemetryStreamSpec } from "@trainyard/bus";
import { type App, createApp, layFoundation, type Part, type RpcServer, rpcServer } from "@trainyard/service";
import { eventConsumer, runMigrations } from "@trainyard/store";
import type { Logger } from "@trainyard/telemetry";
import { access } from "./api/access.ts";
import { routes } from "./api/routes.ts";
import { hourlyCollector } from "./collector.ts";
import type { TrackingConfig } from "./config.ts";
import { attemptEnded } from "./consumers/attempt-ended.ts";
import { attemptStarted } from "./consumers/attempt-started.ts";
import { followedRuns } from "./consumers/followed-runs.ts";
import { jobEnded } from "./consumers/job-ended.ts";
import { jobSubmitted } from "./consumers/job-submitted.ts";
import {
  modelVersionCreated,
  modelVersionDeleted,
  modelVersionStageChanged,
} from "./consumers/model-version.ts";
import { telemetryConsumer } from "./consumers/telemetry.ts";
import type { Deps } from "./deps.ts";
import type { RetentionPolicy } from "./domain/retention.ts";
import { createCallJournal } from "./journal/call-journal.ts";
import { idleWatch } from "./operations/idle-watch.ts";
import { logArchiver } from "./operations/log-archiver.ts";
import { createLogTrimmer } from "./operations/log-trimmer.ts";
import { metricWorker } from "./operations/metric-worker.ts";
import { createRunRoom } from "./operations/run-room.ts";
import { createTurns } from "./operations/turns.ts";
import { workShare } from "./operations/work-share.ts";
import { createRunSignals } from "./run-signals.ts";
import { migrations } from "./store/migrations.ts";
import { createRecords, recordIndexes } from "./store/records.ts";

const name = "tracking";

/** What was stored a moment ago is about to be referred to; a day, as uploads are held. */
const BLOB_GRACE_MS = 24 * 60 * 60_000;

/** The service, and where it answers. */
export interface TrackingApp extends App {
  readonly server: RpcServer;
}

/** Connects to everything and puts the parts together; nothing works before `start`. */
export async function build(
  config: TrackingConfig,
  { logger }: { readonly logger: Logger },
): Promise<TrackingApp> {
  const foundation = await layFoundation(name, config, logger, recordIndexes);
  const { store, bus, health } = foundation;
  await runMigrations(store, migrations, { holder: name });
  const records = createRecords(store);
  const signals = createRunSignals();
  const journal = await createCallJournal({ records, signals, logger }, bus);
  const deps: Deps = {
    store,
    records,
    runRoom: createRunRoom(records.runs, config.maxRunsPerExperiment),
    turns: createTurns(),
    blobs: openBlobStore(config.blobUrl),
    blobMaxBytes: config.blobMaxBytes,
    retention: retentionOf(config),
    archiveLogsAfterMs: config.archiveLogsAfterMs,
    signals,
    journal,
    logger,
    now: () => new Date(),
  };
  const server = rpcServer({ ...foundation.server, routes: routes(deps), access });
  const trimmer = createLogTrimmer(deps, config.logLimitBytes);
  const share = workShare(deps);
  const parts: Part[] = [
    ...foundation.parts,
    trimmer,
    telemetryStream(bus),
    journal,
    jobsConsumer(deps, bus),
    modelsConsumer(deps, bus),
    share,
    followedRuns(deps, bus),
    telemetryConsumer(deps, bus, trimmer, share),
    metricWorker(deps, share),
    logArchiver(deps, config.archiveTurnMs),
    idleWatch(deps, config.idleWatchMs),
    hourlyCollector(deps, config.gcEveryHours),
    server,
  ];
  return { ...createApp({ name, logger, parts, health }), server };
}

function retentionOf(config: TrackingConfig): RetentionPolicy {
  const { purgeDeletedAfterDays, artifactDays, checkpointDays, keepNewestRuns, archivedVersionDays } = config;
  return {
    purgeDeletedAfterDays,
    artifactDays,
    checkpointDays,
    keepNewestRuns,
    archivedVersionDays,
    blobGraceMs: BLOB_GRACE_MS,
  };
}

/** The stream that the agents publish to; tracking is its only consumer, and so its owner. */
function telemetryStream(bus: Bus): Part {
  return {
    name: "telemetry stream",
    start: () => declareStream(bus, telemetryStreamSpec()),
    stop: async () => undefined,
  };
}

function jobsConsumer(deps: Deps, bus: Bus): Part {
  return eventConsumer({
    store: deps.store,
    bus,
    logger: deps.logger,
    name: "tracking-jobs",
    from: "scheduler",
    handlers: [jobSubmitted(deps), attemptStarted(deps), attemptEnded(deps), jobEnded(deps)],
  });
}

function modelsConsumer(deps: Deps, bus: Bus): Part {
  return eventConsumer({
    store: deps.store,
    bus,
    logger: deps.logger,
    name: "tracking-models",
    from: "registry",
    handlers: [modelVersionCreated(deps), modelVersionStageChanged(deps), modelVersionDeleted(deps)],
  });
}
