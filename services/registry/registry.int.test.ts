import { readFileSync } from "node:fs";
import { create, type DescService, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { openBlobStore } from "@trainyard/blob";
import { type Bus, connectBus, declareStream, eventStreamSpec } from "@trainyard/bus";
import {
  type CloudEvent,
  decodeCloudEvent,
  encodeCloudEvent,
  evaluation,
  eventSubject,
  eventTypeOf,
  peekCloudEvent,
  registry,
  scheduler,
  tracking,
} from "@trainyard/contracts";
import { isDomainError, newId } from "@trainyard/domain";
import { type Platform, preparePlatform } from "@trainyard/local";
import { createSigner, fromConnectError, type Role, rpcClient } from "@trainyard/service";
import { closeAll, killServers, tempDir, testLogger, waitFor } from "@trainyard/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { build, parseRegistryConfig } from "./index.ts";

let platform: Platform;
let bus: { readonly tracking: Bus; readonly evaluation: Bus };
let app: Awaited<ReturnType<typeof build>>;
const stops: (() => Promise<unknown>)[] = [];

async function busOf(service: "tracking" | "evaluation" | "gateway" | "registry"): Promise<Bus> {
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

beforeAll(async () => {
  platform = await preparePlatform(tempDir("registry"), { ports: "free" });
  const servers = await platform.startServers({ dieWithParent: true });
  stops.push(() => killServers(servers));
  bus = { tracking: await busOf("tracking"), evaluation: await busOf("evaluation") };
  app = await build(parseRegistryConfig(platform.serviceEnv("registry")), { logger: testLogger("registry") });
  await app.start();
  stops.push(() => app.stop());
});

afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
  await closeAll();
});

/** A client that speaks for a user, as the gateway would after it has checked the user's token. */
const as = (name: string, ...roles: Role[]) => clientOf(registry.RegistryService, name, roles);

async function clientOf<S extends DescService>(service: S, name: string, roles: readonly Role[]) {
  const signer = await createSigner(platform.serviceEnv("gateway").TRAINYARD_KEY_FILE ?? "");
  const token = () => signer.sign({ kind: "user", name, roles, project: "default" }, 60_000);
  return rpcClient(service, platform.url("registry"), { token });
}

async function reasonOf(call: Promise<unknown>): Promise<string> {
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
async function runEnded(
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
async function createdAgain(modelVersion: registry.ModelVersion): Promise<void> {
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

async function evaluationEnded(
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

function trainedRun(
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
async function passedVersion(model: string, code = "c1"): Promise<registry.ModelVersion> {
  return passed(trainedRun(model, code), model);
}

async function passed(run: ReturnType<typeof trainedRun>, model: string): Promise<registry.ModelVersion> {
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

describe("registry", () => {
  it("makes one staging version of a completed run, however often its end is told", async () => {
    const run = trainedRun("once");
    const id = await runEnded(run);
    await runEnded(run, id);
    await runEnded(run);
    await runEnded({ ...trainedRun("once"), status: tracking.RunStatus.FAILED });
    await passedVersion("once-later");
    const { modelVersions } = await (await as("vi", "viewer")).listModelVersions({ model: "once" });
    expect(modelVersions).toHaveLength(1);
    expect(modelVersions[0]).toMatchObject({
      number: 1,
      version: "1.0.0",
      stage: registry.Stage.STAGING,
      submittedBy: "user:ada",
      runId: run.id,
      metrics: { accuracy: 0.97 },
    });
    const blobs = openBlobStore(platform.serviceEnv("registry").TRAINYARD_BLOB_URL ?? "");
    expect(await blobs.pins("d0".repeat(32))).toContain(`model:default:${run.id}`);
  });

  it("lets another person's approval make a version champion, and archives its predecessor", async () => {
    const grace = await as("grace", "approver");
    const first = await passedVersion("champ");
    const approved = await grace.approveModelVersion({
      requestId: newId("req"),
      model: "champ",
      version: "1.0.0",
    });
    expect(approved).toMatchObject({
      transitioned: true,
      modelVersion: { stage: registry.Stage.CHAMPION, promotedBy: "user:grace" },
    });

    const second = await passedVersion("champ", "c2");
    expect(second.version).toBe("1.1.0");
    await grace.approveModelVersion({ requestId: newId("req"), model: "champ", version: second.id });
    const { model } = await grace.getModel({ name: "champ" });
    expect(model?.champion?.id).toBe(second.id);
    expect((await grace.getModelVersion({ version: first.id })).modelVersion?.stage).toBe(
      registry.Stage.ARCHIVED,
    );

    const { champion } = await grace.rollbackModel({ requestId: newId("req"), model: "champ" });
    expect(champion?.id).toBe(first.id);
    const { changes } = await grace.listStageChanges({ model: "champ" });
    expect(changes.map(({ reason }) => reason)).toEqual([
      "rollback",
      "rollback",
      "promoted",
      "replaced by 1.1.0",
      "promoted",
    ]);
  });

  it("refuses the submitter, a failed gate and a missing role, and changes nothing", async () => {
    const version = await passedVersion("refused");
    const requestId = newId("req");
    const submitter = await as("ada", "approver");
    expect(
      await reasonOf(submitter.approveModelVersion({ requestId, model: "refused", version: version.id })),
    ).toBe("APPROVER_IS_SUBMITTER");
    const viewer = await as("vi", "viewer");
    expect(
      await reasonOf(viewer.approveModelVersion({ requestId, model: "refused", version: version.id })),
    ).toBe("ROLE_MISSING");
    const promote = { requestId, model: "refused", version: version.id, stage: registry.Stage.CHAMPION };
    expect(await reasonOf((await as("bob", "submitter")).transitionModelVersion(promote))).toBe(
      "ROLE_MISSING",
    );
    const grace = await as("grace", "approver");
    expect(await reasonOf(grace.transitionModelVersion(promote))).toBe("APPROVAL_MISSING");
    await evaluationEnded(version.id, evaluation.EvaluationState.FAILED, "accuracy 0.5 is below 0.9");
    await waitFor(
      "the failed gate",
      async () =>
        (await viewer.getModelVersion({ version: version.id })).modelVersion?.gate?.passed === false,
    );
    const error = await grace
      .approveModelVersion({ requestId, model: "refused", version: version.id })
      .catch(fromConnectError);
    expect(error).toMatchObject({ reason: "GATE_FAILED" });
    expect(String(error)).toContain("accuracy 0.5 is below 0.9");
    expect((await viewer.getModelVersion({ version: version.id })).modelVersion?.stage).toBe(
      registry.Stage.STAGING,
    );
  });

  it("promotes what was trained on untracked data with a recorded waiver only", async () => {
    const version = await passed(trainedRun("untracked", "c1", ["/data/mnist"]), "untracked");
    expect(version.untrackedDataPaths).toEqual(["/data/mnist"]);
    const grace = await as("grace", "approver");
    const named = { model: "untracked", version: version.id };
    const approval = () => grace.approveModelVersion({ requestId: newId("req"), ...named });
    expect(await reasonOf(approval())).toBe("DATA_UNTRACKED");
    const waiver = { requestId: newId("req"), ...named, reason: " checked by hand " };
    expect(await reasonOf((await as("bob", "submitter")).waiveUntrackedData(waiver))).toBe("ROLE_MISSING");
    const gateway = await busOf("gateway");
    const told = gateway.nc.subscribe("trainyard.default.registry.model_version.waived.v1.*", { max: 1 });
    await gateway.nc.flush();
    const first = await grace.waiveUntrackedData(waiver);
    expect(first.modelVersion?.waiver).toMatchObject({ by: "user:grace", reason: "checked by hand" });
    expect(await grace.waiveUntrackedData(waiver)).toEqual(first);
    for await (const message of told) {
      const event = peekCloudEvent(message.data);
      expect(event).toMatchObject({ actor: "user:grace", data: { waiver: { reason: "checked by hand" } } });
    }
    expect(await approval()).toMatchObject({ transitioned: true });
  });

  it("refuses to promote an archived version", async () => {
    const version = await passedVersion("archived");
    const grace = await as("grace", "approver");
    const archive = {
      requestId: newId("req"),
      model: "archived",
      version: version.id,
      stage: registry.Stage.ARCHIVED,
    };
    await (await as("bob", "submitter")).transitionModelVersion(archive);
    const call = grace.approveModelVersion({
      requestId: newId("req"),
      model: "archived",
      version: version.id,
    });
    expect(await reasonOf(call)).toBe("VERSION_ARCHIVED");
  });

  it("has exactly one champion when many approve many versions at once", async () => {
    const versions = [];
    for (const code of ["a", "b", "c", "d"]) versions.push(await passedVersion("race", code));
    const approvers = await Promise.all(["u1", "u2", "u3"].map((name) => as(name, "approver")));
    await Promise.all(
      versions.flatMap(({ id }) =>
        approvers.map((client) =>
          client
            .approveModelVersion({ requestId: newId("req"), model: "race", version: id })
            .catch(() => undefined),
        ),
      ),
    );
    const { modelVersions } = await (await as("vi", "viewer")).listModelVersions({
      model: "race",
      stage: registry.Stage.CHAMPION,
    });
    expect(modelVersions).toHaveLength(1);
  });

  it("answers a repeated request as the first time, and refuses its id for another", async () => {
    const submitter = await as("bob", "submitter");
    const request = { requestId: newId("req"), model: "byhand", artifactUri: "s3://bucket/model" };
    const first = await submitter.registerModelVersion(request);
    const again = await submitter.registerModelVersion(request);
    expect(again).toEqual(first);
    expect(await reasonOf(submitter.registerModelVersion({ ...request, notes: "other" }))).toBe(
      "REQUEST_ID_REUSED",
    );
    const { modelVersions } = await submitter.listModelVersions({ model: "byhand" });
    expect(modelVersions).toHaveLength(1);
    expect(
      await reasonOf(
        submitter.registerModelVersion({ ...request, requestId: newId("req"), version: "1.0.0" }),
      ),
    ).toBe("MODEL_VERSION_EXISTS");
  });

  it("tells the world of a promotion by one event", async () => {
    const seen: string[] = [];
    const gateway = await busOf("gateway");
    const subscription = gateway.nc.subscribe("trainyard.default.registry.model_version.stage_changed.v1.*");
    await gateway.nc.flush();
    const version = await passedVersion("told");
    await (await as("grace", "approver")).approveModelVersion({
      requestId: newId("req"),
      model: "told",
      version: version.id,
    });
    for await (const message of subscription) {
      const event = peekCloudEvent(message.data);
      seen.push(event.type);
      expect(event).toMatchObject({ project: "default", actor: "user:grace" });
      if (JSON.stringify(event.data).includes(version.id)) break;
    }
    expect(new Set(seen)).toEqual(new Set(["trainyard.registry.model_version.stage_changed.v1"]));
  });

  it("gives up a removed version's files that no other version of the logged model has", async () => {
    const blobs = openBlobStore(platform.serviceEnv("registry").TRAINYARD_BLOB_URL ?? "");
    const models = await clientOf(registry.LoggedModelService, "ada", ["submitter"]);
    const made = { requestId: newId("req"), experimentId: newId("exp"), name: "net" };
    const id = (await models.createLoggedModel(made)).model?.id ?? "";
    const put = async (path: string) => {
      const { digest, sizeBytes } = await blobs.put(new TextEncoder().encode(path));
      const file = { path, digest, sizeBytes: BigInt(sizeBytes) };
      await models.putLoggedModelFile({ requestId: newId("req"), id, file });
      return digest;
    };
    const submitter = await as("ada", "submitter");
    const register = async () => {
      const version = { model: "of-logged", artifactUri: `models:/${id}`, loggedModelId: id };
      const answer = await submitter.registerModelVersion({ requestId: newId("req"), ...version });
      return answer.modelVersion ?? create(registry.ModelVersionSchema);
    };
    const [weights, notes] = [await put("net.pt"), await put("notes.txt")];
    const first = await register();
    await models.deleteLoggedModelFiles({ requestId: newId("req"), id, path: "notes.txt" });
    const second = await register();
    const catalog = await clientOf(registry.CatalogService, "root", ["admin"]);
    const remove = ({ id: version }: registry.ModelVersion) =>
      catalog.deleteModelVersion({ requestId: newId("req"), model: "of-logged", version });
    const isHeld = async (digest: string) => (await blobs.pins(digest)).includes(`model:default:${id}`);
    expect([await isHeld(weights), await isHeld(notes)]).toEqual([true, true]);
    await remove(first);
    await waitFor("what only the first had to be given up", async () => !(await isHeld(notes)));
    expect(await isHeld(weights)).toBe(true);
    await remove(second);
    await waitFor("the rest to be given up", async () => !(await isHeld(weights)));
    await createdAgain(second);
    expect(await isHeld(weights)).toBe(false);
  });

  it("tells the world of each version that is removed, alone or with its model", async () => {
    const gateway = await busOf("gateway");
    const subscription = gateway.nc.subscribe("trainyard.default.registry.model_version.deleted.v1.*");
    await gateway.nc.flush();
    const submitter = await as("ada", "submitter");
    const register = async () => {
      const request = { requestId: newId("req"), model: "removed", artifactUri: "s3://bucket/model" };
      return (await submitter.registerModelVersion(request)).modelVersion?.id ?? "";
    };
    const ids = [await register(), await register(), await register()];
    const catalog = await clientOf(registry.CatalogService, "root", ["admin"]);
    const request = { requestId: newId("req"), model: "removed", version: ids[1] ?? "" };
    await catalog.deleteModelVersion(request);
    await catalog.deleteModelVersion(request);
    await catalog.deleteModel({ requestId: newId("req"), model: "removed" });
    const told: [string, number, string][] = [];
    for await (const message of subscription) {
      const { data, aggregateversion } = decodeCloudEvent(registry.ModelVersionDeletedSchema, message.data);
      const { id = "", aggregateVersion = 0n } = data.modelVersion ?? {};
      expect(Number(aggregateVersion)).toBe(aggregateversion);
      told.push([id, aggregateversion, data.modelVersion?.model ?? ""]);
      if (told.length === 3) break;
    }
    expect(told.toSorted()).toEqual(
      [
        [ids[0], 5, "removed"],
        [ids[1], 4, "removed"],
        [ids[2], 5, "removed"],
      ].toSorted(),
    );
  });

  it("pages through versions, and refuses a token of another list", async () => {
    const viewer = await as("vi", "viewer");
    const ids: string[] = [];
    let pageToken = "";
    do {
      const answer = await viewer.listModelVersions({ page: { pageSize: 3, pageToken } });
      ids.push(...answer.modelVersions.map(({ id }) => id));
      pageToken = answer.page?.nextPageToken ?? "";
    } while (pageToken !== "");
    expect(ids).toEqual([...new Set(ids)].sort().reverse());
    expect(ids.length).toBeGreaterThan(8);
    const { page } = await viewer.listModelVersions({ page: { pageSize: 1, pageToken: "" } });
    const other = viewer.listModels({ page: { pageSize: 1, pageToken: page?.nextPageToken ?? "" } });
    expect(await reasonOf(other)).toBe("INVALID_PAGE_TOKEN");
    expect(await reasonOf(viewer.getModelVersion({ model: "nope", version: "1" }))).toBe("MODEL_NOT_FOUND");
  });
});
