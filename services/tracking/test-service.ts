/** Set-up of this service's integration tests: the whole service on real servers, and whoever talks to it. */
import { create, type DescService, toBinary } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import { openBlobStore } from "@trainyard/blob";
import {
  type Bus,
  deadLetterStreamSpec,
  declareStream,
  eventStreamSpec,
  streamNames,
  TELEMETRY_PARTITIONS,
} from "@trainyard/bus";
import {
  encodeCloudEvent,
  eventSubject,
  eventTypeOf,
  type registry,
  scheduler,
  tracking,
  workeragent,
} from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { rpcClient } from "@trainyard/service";
import { openStore } from "@trainyard/store";
import {
  atFileEnd,
  tempDir,
  testBus,
  testDatabase,
  testKeys,
  testLogger,
  testNats,
  testSigner,
} from "@trainyard/testing";
import { build } from "./app.ts";
import type { TrackingConfig } from "./config.ts";
import { MIN_LOG_LIMIT_BYTES } from "./domain/limits.ts";

export const project = "default";

/** Everything a test touches. */
export type TestTracking = Awaited<ReturnType<typeof startTracking>>;

/** Starts the service in this process with a database of its own on the test file's bus. */
export async function startTracking(
  options: {
    readonly start?: boolean;
    readonly archiveLogsAfterMs?: number;
    readonly maxRunsPerExperiment?: number;
  } = {},
): Promise<{
  readonly config: TrackingConfig;
  readonly bus: Bus;
  readonly blobs: Awaited<ReturnType<typeof openBlobStore>>;
  readonly store: Awaited<ReturnType<typeof openStore>>;
  readonly app: Awaited<ReturnType<typeof build>>;
  readonly env: Record<string, string>;
  as(caller: Caller): Promise<TrackingClient>;
  /** The metric service, as the user. */
  metrics(): Promise<MetricClient>;
}> {
  const bus = await testBus();
  await declareStream(bus, eventStreamSpec("scheduler"));
  await declareStream(bus, eventStreamSpec("registry"));
  await declareStream(bus, deadLetterStreamSpec());
  const database = await testDatabase();
  const { server, seed } = await testNats();
  const blobUrl = new URL(`file://${tempDir("blobs")}`).href;
  const seedFile = `${tempDir("seed")}/seed`;
  const { writeFileSync } = await import("node:fs");
  writeFileSync(seedFile, seed);
  const config: TrackingConfig = {
    natsUrl: server.url,
    natsSeedFile: seedFile,
    mongodbUri: database.uri,
    mongodbDatabase: database.database,
    blobUrl,
    blobMaxBytes: 1024 ** 3,
    gcEveryHours: 0,
    purgeDeletedAfterDays: 30,
    artifactDays: 0,
    checkpointDays: 0,
    keepNewestRuns: 0,
    archivedVersionDays: 0,
    maxRunsPerExperiment: options.maxRunsPerExperiment ?? 1_000_000,
    listenHost: "127.0.0.1",
    listenPort: 0,
    keyFile: testKeys().keyFile("tracking"),
    jwksFile: testKeys().jwksFile,
    archiveLogsAfterMs: options.archiveLogsAfterMs ?? 60_000,
    archiveTurnMs: 60_000,
    idleWatchMs: 250,
    logLevel: "silent",
    logLimitBytes: MIN_LOG_LIMIT_BYTES,
  };
  const env = {
    TRAINYARD_NATS_URL: config.natsUrl,
    TRAINYARD_NATS_SEED_FILE: seedFile,
    TRAINYARD_MONGODB_URI: config.mongodbUri,
    TRAINYARD_MONGODB_DATABASE: config.mongodbDatabase,
    TRAINYARD_BLOB_URL: blobUrl,
    TRAINYARD_KEY_FILE: config.keyFile,
    TRAINYARD_JWKS_FILE: config.jwksFile,
  };
  const store = await openStore({ ...database, logger: testLogger("test-store") });
  atFileEnd(() => store.close());
  const app = await build(config, { logger: testLogger("tracking") });
  if (options.start !== false) {
    await app.start();
    atFileEnd(() => app.stop());
  }
  return {
    config,
    bus,
    blobs: await openBlobStore(blobUrl),
    store,
    app,
    env,
    as: async (caller) => clientOf(tracking.TrackingService, app.server.url, caller),
    metrics: async () => clientOf(tracking.MetricService, app.server.url, "user"),
  };
}

type Caller = "user" | "agent" | "scheduler";
export type TrackingClient = Client<typeof tracking.TrackingService>;
export type MetricClient = Client<typeof tracking.MetricService>;

export async function clientOf<S extends DescService>(
  service: S,
  url: string,
  caller: Caller,
): Promise<Client<S>> {
  const options = { timeoutMs: 60_000 };
  if (caller === "scheduler") {
    return rpcClient(service, url, { ...options, signer: await testSigner("scheduler") });
  }
  if (caller === "agent") {
    return rpcClient(service, url, { ...options, signer: await testSigner("agent:n1") });
  }
  const gateway = await testSigner("gateway");
  const ada = { name: "ada", kind: "user", roles: ["admin"], project } as const;
  return rpcClient(service, url, { ...options, token: () => gateway.sign(ada, 60_000) });
}

/** A job as the scheduler would have accepted it, with ids of its own. */
export function aJob(changes: { readonly keep?: number; readonly name?: string } = {}): scheduler.Job {
  const { keep = 3, name = "digits" } = changes;
  return create(scheduler.JobSchema, {
    id: newId("job"),
    project,
    runId: newId("run"),
    spec: { name, experiment: "mnist", ranks: 2, params: { lr: 0.1, "a.b": "$x" }, checkpoint: { keep } },
    state: scheduler.JobState.QUEUED,
    version: 1n,
    createdBy: "user:ada",
    createdAt: timestampNow(),
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  });
}

/** The job in a final state. */
export function ended(job: scheduler.Job, state = scheduler.JobState.SUCCEEDED): scheduler.Job {
  return create(scheduler.JobSchema, { ...job, state, version: 9n, endedAt: timestampNow() });
}

type JobEvent =
  | typeof scheduler.JobSubmittedSchema
  | typeof scheduler.JobEndedSchema
  | typeof scheduler.AttemptStartedSchema
  | typeof scheduler.AttemptEndedSchema;

let eventNumber = 0;

/** Publishes an event as the scheduler would; the same id again is the same event. */
export async function publishEvent<S extends JobEvent>(
  bus: Bus,
  schema: S,
  job: scheduler.Job,
  data: Parameters<typeof create<S>>[1],
  id = newId("evt"),
): Promise<string> {
  const type = eventTypeOf(schema as typeof scheduler.JobSubmittedSchema);
  const body = encodeCloudEvent(schema as typeof scheduler.JobSubmittedSchema, {
    specversion: "1.0",
    id,
    source: "/trainyard/scheduler",
    type: type.type,
    subject: job.id,
    time: new Date().toISOString(),
    datacontenttype: "application/json",
    project: job.project,
    actor: "service:scheduler",
    aggregateversion: Number(job.version),
    data: create(schema, data) as scheduler.JobSubmitted,
  });
  // Its own message id each time, so that a repetition reaches the consumer.
  await bus.publish(eventSubject(job.project, type, job.id), body, { msgId: `${id}-${++eventNumber}` });
  return id;
}

type VersionEvent =
  | typeof registry.ModelVersionCreatedSchema
  | typeof registry.ModelVersionStageChangedSchema
  | typeof registry.ModelVersionDeletedSchema;

/** Publishes what becomes of a version of the model digits, as the registry would. */
export async function publishVersion(
  bus: Bus,
  schema: VersionEvent,
  version: Pick<registry.ModelVersion, "id" | "runId" | "stage" | "aggregateVersion">,
  time: Date,
): Promise<void> {
  const id = newId("evt");
  // The three have their one field in common.
  const common = schema as typeof registry.ModelVersionCreatedSchema;
  const type = eventTypeOf(common);
  const modelVersion = { ...version, project, model: "digits", version: "1.0.0" };
  const body = encodeCloudEvent(common, {
    specversion: "1.0",
    id,
    source: "/trainyard/registry",
    type: type.type,
    subject: "model_digits",
    time: time.toISOString(),
    datacontenttype: "application/json",
    project,
    actor: "user:ada",
    aggregateversion: Number(version.aggregateVersion),
    data: create(common, { modelVersion }),
  });
  await bus.publish(eventSubject(project, type, "model_digits"), body, { msgId: id });
}

/** Bytes that one record of the tests' rank files has. */
export const RECORD_BYTES = 10;

/** A batch with one point of `key` per step; step s is the record at (s − 1) × RECORD_BYTES. */
export function aMetricBatch(
  source: { readonly runId: string; readonly attempt: number; readonly rank?: number },
  steps: readonly [first: number, last: number],
  value: (step: number) => number = (step) => step,
  key = "loss",
): workeragent.MetricBatch {
  const [first, last] = steps;
  const all = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  return create(workeragent.MetricBatchSchema, {
    runId: source.runId,
    attempt: source.attempt,
    rank: source.rank ?? 0,
    beginOffset: BigInt((first - 1) * RECORD_BYTES),
    endOffset: BigInt(last * RECORD_BYTES),
    keys: [key],
    keyIndex: all.map(() => 0),
    steps: all.map(BigInt),
    timesMs: all.map((step) => 1_000 + step),
    values: all.map(value),
    offsets: all.map((step) => BigInt((step - 1) * RECORD_BYTES)),
  });
}

type ConsumerInfo = Awaited<ReturnType<Bus["jsm"]["consumers"]["info"]>>;

/** How the consumers of the telemetry stand: of each partition, and of what is in none. Empty while one is not there yet. */
export async function telemetryConsumers(bus: Bus): Promise<ConsumerInfo[]> {
  const found: ConsumerInfo[] = [];
  for await (const info of bus.jsm.consumers.list(streamNames.telemetry)) found.push(info);
  return found.length === TELEMETRY_PARTITIONS + 1 ? found : [];
}

/** Whether tracking has taken all telemetry from the stream and, with `acknowledged`, stored or buried it. */
export async function isTelemetryTaken(bus: Bus, { acknowledged }: { readonly acknowledged: boolean }) {
  const all = await telemetryConsumers(bus);
  const left = ({ num_pending, num_ack_pending }: ConsumerInfo) =>
    num_pending + (acknowledged ? num_ack_pending : 0);
  return all.length > 0 && all.every((info) => left(info) === 0);
}

let batchNumber = 0;

/** Publishes a batch as an agent would. */
export async function publishMetrics(
  bus: Bus,
  batch: workeragent.MetricBatch,
  kind: "metrics" | "samples" = "metrics",
): Promise<void> {
  const subject = `telemetry.${project}.${batch.runId}.${batch.attempt}.${batch.rank}.${kind}`;
  await bus.publish(subject, toBinary(workeragent.MetricBatchSchema, batch), {
    msgId: `test-batch-${++batchNumber}`,
  });
}

/** Publishes batches of several ranks in one message, as agents do. */
export async function publishBundle(
  bus: Bus,
  { runId, attempt }: { readonly runId: string; readonly attempt: number },
  batches: readonly workeragent.TelemetryPart["batch"][],
): Promise<void> {
  const bundle = create(workeragent.TelemetryBundleSchema, { parts: batches.map((batch) => ({ batch })) });
  const subject = `telemetry.${project}.${runId}.${attempt}.all.bundle`;
  await bus.publish(subject, toBinary(workeragent.TelemetryBundleSchema, bundle), {
    msgId: `test-batch-${++batchNumber}`,
  });
}

/** Publishes a range of a rank's output. */
export async function publishLog(
  bus: Bus,
  source: { readonly runId: string; readonly attempt: number; readonly rank?: number },
  beginOffset: number,
  data: Uint8Array,
  stream = workeragent.LogStream.STDOUT,
  leftOutBytes = 0,
): Promise<void> {
  const { runId, attempt, rank = 0 } = source;
  const batch = create(workeragent.LogBatchSchema, {
    runId,
    attempt,
    rank,
    stream,
    beginOffset: BigInt(beginOffset),
    data,
    observedMs: ++batchNumber,
    leftOutBytes: BigInt(leftOutBytes),
  });
  const subject = `telemetry.${project}.${runId}.${attempt}.${rank}.logs`;
  await bus.publish(subject, toBinary(workeragent.LogBatchSchema, batch), {
    msgId: `test-batch-${batchNumber}`,
  });
}
