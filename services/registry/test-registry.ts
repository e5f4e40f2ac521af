/** Set-up of this service's integration tests: the whole service on real servers, who calls it, and what it is told. */
import { readFileSync } from "node:fs";
import { create, type DescService, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { openBlobStore } from "@trainyard/blob";
import { type Bus, connectBus, declareStream, eventStreamSpec } from "@trainyard/bus";
import {
  type CloudEvent,
  encodeCloudEvent,
  evaluation,
  eventSubject,
  eventTypeOf,
  registry,
  scheduler,
  tracking,
} from "@trainyard/contracts";
import { isDomainError, newId } from "@trainyard/domain";
import { type Platform, preparePlatform } from "@trainyard/local";
import { createSigner, fromConnectError, type Role, rpcClient } from "@trainyard/service";
import { closeAll, killServers, tempDir, testLogger, waitFor } from "@trainyard/testing";
import { type Db, MongoClient } from "mongodb";
import { build } from "./app.ts";
import { parseRegistryConfig } from "./config.ts";

let platform: Platform;
let bus: { readonly tracking: Bus; readonly evaluation: Bus };
const stops: (() => Promise<unknown>)[] = [];

export async function busOf(service: "tracking" | "evaluation" | "gateway" | "registry"): Promise<Bus> {
  const env = platform.serviceEnv(service);
  const seed = readFileSync(env.TRAINYARD_NATS_SEED_FILE ?? "", "utf8");
  const connected = await connectBus({
    servers: platform.natsUrl,
    name: service,
    seed,
    logger: testLogger("registry"),
  });
  stops.push(() => connected.close());
  if (service !== "gateway") await declareStream(connected, eventStreamSpec(service));
  return connected;
}

/** Starts the service in this process, on servers of the test file. */
export async function startRegistry(): Promise<void> {
  platform = await preparePlatform(tempDir("registry"), { ports: "free" });
  const servers = await platform.startServers({ dieWithParent: true });
  stops.push(() => killServers(servers));
  bus = { tracking: await busOf("tracking"), evaluation: await busOf("evaluation") };
  const app = await build(parseRegistryConfig(platform.serviceEnv("registry")), {
    logger: testLogger("registry"),
  });
  await app.start();
  stops.push(() => app.stop());
}

export async function stopRegistry(): Promise<void> {
  for (const stop of stops.reverse()) await stop();
  await closeAll();
}

export const blobsOfRegistry = () => openBlobStore(platform.serviceEnv("registry").TRAINYARD_BLOB_URL ?? "");

/** The service's database, for what only the database can tell. */
export async function databaseOfRegistry(): Promise<Db> {
  const client = await MongoClient.connect(platform.serviceEnv("registry").TRAINYARD_MONGODB_URI ?? "");
  stops.push(() => client.close());
  return client.db();
}

/** A client that speaks for a user, as the gateway would after it has checked the user's token. */
export const as = (name: string, ...roles: Role[]) => clientOf(registry.RegistryService, name, roles);

export async function clientOf<S extends DescService>(service: S, name: string, roles: readonly Role[]) {
  const signer = await createSigner(platform.serviceEnv("gateway").TRAINYARD_KEY_FILE ?? "");
  const token = () => signer.sign({ kind: "user", name, roles, project: "default" }, 60_000);
  return rpcClient(service, platform.url("registry"), { token });
}

export async function reasonOf(call: Promise<unknown>): Promise<string> {
  const error: unknown = await call.then(
    () => undefined,
    (caught: unknown) => fromConnectError(caught),
  );
  return isDomainError(error) ? error.reason : "none";
}

const base = {
  specversion: "1.0",
  datacontenttype: "application/json",
  time: new Date().toISOString(),
  project: "default",
  actor: "service:test",
  aggregateversion: 1,
} as const;

/** Tells the registry that a run has ended, as tracking would. */
export async function runEnded(
  run: MessageInitShape<typeof tracking.RunSchema>,
  id = newId("evt"),
): Promise<string> {
  const type = eventTypeOf(tracking.RunEndedSchema);
  const event: CloudEvent<tracking.RunEnded> = {
    ...base,
    id,
    source: "/trainyard/tracking",
    type: type.type,
    subject: run.id ?? "",
    data: create(tracking.RunEndedSchema, { run: create(tracking.RunSchema, run) }),
  };
  const bytes = encodeCloudEvent(tracking.RunEndedSchema, event);
  await bus.tracking.publish(eventSubject("default", type, event.subject), bytes, { msgId: newId("req") });
  return id;
}

/** Has the registry hear once more, and late, that it has registered a version; resolves when it has. */
export async function createdAgain(modelVersion: registry.ModelVersion): Promise<void> {
  const type = eventTypeOf(registry.ModelVersionCreatedSchema);
  const event: CloudEvent<registry.ModelVersionCreated> = {
    ...base,
    id: newId("evt"),
    source: "/trainyard/registry",
    type: type.type,
    subject: modelVersion.id,
    data: create(registry.ModelVersionCreatedSchema, { modelVersion }),
  };
  const own = await busOf("registry");
  const bytes = encodeCloudEvent(registry.ModelVersionCreatedSchema, event);
  const { stream, seq } = await own.publish(eventSubject("default", type, event.subject), bytes, {
    msgId: event.id,
  });
  await waitFor("the late event to be worked up", async () => {
    const { ack_floor } = await own.jsm.consumers.info(stream, "registry-files");
    return ack_floor.stream_seq >= seq;
  });
}

export async function evaluationEnded(
  versionId: string,
  state: evaluation.EvaluationState,
  message = "",
): Promise<void> {
  const type = eventTypeOf(evaluation.EvaluationEndedSchema);
  const data = create(evaluation.EvaluationEndedSchema, {
    evaluation: {
      id: newId("eval"),
      modelVersionId: versionId,
      suite: "digits",
      suiteRevision: 1,
      state,
      endedAt: timestampFromDate(new Date()),
      report: { gates: message === "" ? [] : [{ passed: false, message }] },
    },
  });
  const event = {
    ...base,
    id: newId("evt"),
    source: "/trainyard/evaluation",
    type: type.type,
    subject: data.evaluation?.id ?? "",
    data,
  };
  const bytes = encodeCloudEvent(evaluation.EvaluationEndedSchema, event);
  await bus.evaluation.publish(eventSubject("default", type, event.subject), bytes, { msgId: event.id });
}

export function trainedRun(
  model: string,
  code = "c1",
  dataPaths: string[] = [],
): MessageInitShape<typeof tracking.RunSchema> {
  return {
    id: newId("run"),
    project: "default",
    jobId: newId("job"),
    status: tracking.RunStatus.COMPLETED,
    spec: {
      kind: scheduler.JobKind.TRAINING,
      model: { name: model, suite: "digits" },
      code: { digest: code },
      dataPaths,
    },
    dataset: { versionId: "dsv_1" },
    createdBy: "user:ada",
    model: {
      name: "model",
      digest: "d1",
      framework: "torch",
      files: [{ path: "model.pt2", digest: "d0".repeat(32), sizeBytes: 10n }],
      signature: { inputs: [{ name: "x", dtype: "float32", shape: [-1n, 64n] }] },
      metrics: { accuracy: 0.97 },
    },
  };
}

/** A version of a new model, in staging, with its gates passed. */
export async function passedVersion(model: string, code = "c1"): Promise<registry.ModelVersion> {
  return passed(trainedRun(model, code), model);
}

export async function passed(
  run: ReturnType<typeof trainedRun>,
  model: string,
): Promise<registry.ModelVersion> {
  const viewer = await as("vi", "viewer");
  await runEnded(run);
  const version = await waitFor("a version", async () => {
    const { modelVersions } = await viewer.listModelVersions({ model, runId: run.id ?? "" });
    return modelVersions[0];
  });
  await evaluationEnded(version.id, evaluation.EvaluationState.PASSED);
  await waitFor(
    "the gate",
    async () => (await viewer.getModelVersion({ version: version.id })).modelVersion?.gate,
  );
  return version;
}
