import { readFileSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { connectBus, declareStream, eventStreamSpec } from "@trainyard/bus";
import { encodeCloudEvent, evaluation, eventSubject, eventTypeOf, registry } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { build as buildRegistry, parseRegistryConfig } from "@trainyard/registry";
import { atFileEnd, testLogger, waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "../test-gateway.ts";

const MAX_BLOB_BYTES = 12 * 1024 * 1024;

let one: TestGateway;
let bus: Awaited<ReturnType<typeof connectBus>>;

beforeAll(async () => {
  one = await startGateway({ TRAINYARD_BLOB_MAX_BYTES: String(MAX_BLOB_BYTES) });
  const { TRAINYARD_NATS_SEED_FILE: seedFile = "" } = one.platform.serviceEnv("evaluation");
  const seed = readFileSync(seedFile, "utf8");
  const logger = testLogger("evaluation");
  bus = await connectBus({ servers: one.platform.natsUrl, name: "evaluation", seed, logger });
  atFileEnd(() => bus.close());
  await declareStream(bus, eventStreamSpec("evaluation"));
  const app = await buildRegistry(parseRegistryConfig(one.platform.serviceEnv("registry")), {
    logger: testLogger("registry"),
  });
  atFileEnd(() => app.stop());
  await app.start();
});

interface Sent {
  readonly status: number;
  readonly json: { readonly error_code?: string; readonly message?: string } & Record<string, unknown>;
}

async function send(
  method: string,
  path: string,
  body?: unknown,
  token = one.tokens.submitter,
): Promise<Sent> {
  const response = await fetch(`${one.url}/api/2.0/${path}`, {
    method,
    headers: {
      ...(token === "" ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  return { status: response.status, json: JSON.parse(await response.text()) as Sent["json"] };
}

/** Tells the registry, as the evaluation service would, that the version has passed its gates. */
async function passGates(modelVersionId: string): Promise<void> {
  const type = eventTypeOf(evaluation.EvaluationEndedSchema);
  const id = newId("eval");
  const ended = {
    ...{ id, modelVersionId, suite: "digits", suiteRevision: 1, state: evaluation.EvaluationState.PASSED },
    ...{ endedAt: timestampFromDate(new Date()), report: {} },
  };
  const event = {
    ...({
      specversion: "1.0",
      datacontenttype: "application/json",
      source: "/trainyard/evaluation",
    } as const),
    ...{ id: newId("evt"), time: new Date().toISOString(), project: "default", actor: "service:evaluation" },
    ...{ aggregateversion: 1, type: type.type, subject: id },
    data: create(evaluation.EvaluationEndedSchema, { evaluation: ended }),
  };
  const bytes = encodeCloudEvent(evaluation.EvaluationEndedSchema, event);
  await bus.publish(eventSubject("default", type, id), bytes, { msgId: event.id });
}

describe("a stage, or an alias that is one, set by an MLflow client", () => {
  it("passes the registry's gates and approval, or is refused with their reason", async () => {
    const alias = (name: string, token?: string) =>
      send("POST", "mlflow/registered-models/alias", { name: "digits", alias: name, version: "1" }, token);
    const stageOf = async () => {
      const { json } = await send("GET", "mlflow/model-versions/get?name=digits&version=1");
      return (json.model_version as { readonly current_stage: string }).current_stage;
    };
    await send("POST", "mlflow/registered-models/create", { name: "digits" });
    await send("POST", "mlflow/model-versions/create", { name: "digits", source: "s3://bucket/model" });
    expect(await alias("canary")).toMatchObject({
      status: 403,
      json: { error_code: "PERMISSION_DENIED", message: expect.stringContaining("GATE_MISSING") },
    });
    expect(await alias("mine")).toMatchObject({ status: 200 });

    const user = one.client(registry.RegistryService, one.tokens.submitter);
    const { modelVersion } = await user.getModelVersion({ model: "digits", version: "1" });
    await passGates(modelVersion?.id ?? "");
    await waitFor("the gate", async () => {
      const now = await user.getModelVersion({ model: "digits", version: "1" });
      return now.modelVersion?.gate;
    });
    expect(await alias("canary")).toMatchObject({ status: 200 });
    expect(await stageOf()).toBe("Staging");
    expect(await alias("champion")).toMatchObject({ status: 403, json: { error_code: "PERMISSION_DENIED" } });
    expect(await alias("champion", one.tokens.approver)).toMatchObject({
      status: 403,
      json: { message: expect.stringContaining("APPROVAL_MISSING") },
    });
    expect(await stageOf()).toBe("Staging");
    const approver = one.client(registry.RegistryService, one.tokens.approver);
    await approver.approveModelVersion({
      requestId: newId("req"),
      model: "digits",
      version: "1",
    });
    expect(await stageOf()).toBe("Production");
    const champion = await send("GET", "mlflow/registered-models/alias?name=digits&alias=champion");
    expect(champion.json.model_version).toMatchObject({ version: "1" });
    expect(
      await send("DELETE", "mlflow/registered-models/alias", { name: "digits", alias: "champion" }),
    ).toMatchObject({
      status: 403,
      json: { message: expect.stringContaining("ALIAS_RESERVED") },
    });
  });
});

describe("a large file, sent in parts to a blob store that takes none itself", () => {
  const content = Buffer.alloc(5 * 1024 * 1024 + 3, "part");
  const parts = [content.subarray(0, 5 * 1024 * 1024), content.subarray(5 * 1024 * 1024)];

  /** Begins an upload of `deep/w.bin` of a new logged model. */
  async function begun() {
    const models = one.client(registry.LoggedModelService, one.tokens.submitter);
    const made = { requestId: newId("req"), experimentId: newId("exp"), name: "net" };
    const place = `0/models/${(await models.createLoggedModel(made)).model?.id}/artifacts/deep`;
    const file = { path: "C:\\models\\w.bin", num_parts: 2 };
    const { json } = await send("POST", `mlflow-artifacts/mpu/create/${place}`, file);
    const { upload_id: id, credentials } = json as unknown as Begun;
    const put = async (index: number) => {
      const { url = "", headers = {} } = credentials[index] ?? {};
      const response = await fetch(url, { method: "PUT", headers, body: parts[index] ?? null });
      return { status: response.status, part_number: index + 1, etag: response.headers.get("etag") ?? "" };
    };
    const end = (how: "complete" | "abort", sent?: readonly unknown[]) =>
      send("POST", `mlflow-artifacts/mpu/${how}/${place}`, { path: "w.bin", upload_id: id, parts: sent });
    return { place, put, end };
  }

  it("is one file when all of them are there, and only then", async () => {
    const { place, put, end } = await begun();
    const [first, second] = [await put(0), await put(1)];
    const refused = (words: string) => ({ status: 400, json: { message: expect.stringContaining(words) } });
    expect(await end("complete", [first])).toMatchObject(refused("2 parts have arrived"));
    expect(await end("complete", [first, { ...second, etag: first.etag }])).toMatchObject(refused("ETag"));
    expect(await end("complete", [first, { ...second, part_number: 3 }])).toMatchObject(
      refused("Part 3 has not arrived"),
    );
    expect(await end("complete", [first, second])).toMatchObject({ status: 200 });
    const file = await fetch(`${one.url}/api/2.0/mlflow-artifacts/artifacts/${place}/w.bin`, {
      headers: { authorization: `Bearer ${one.tokens.submitter}` },
    });
    expect(Buffer.from(await file.arrayBuffer()).equals(content)).toBe(true);
  });

  it("is nothing once it was given up", async () => {
    const { place, put, end } = await begun();
    const first = await put(0);
    expect(await end("abort")).toMatchObject({ status: 200 });
    expect(await put(1)).toMatchObject({ status: 404 });
    expect(await end("complete", [first])).toMatchObject({ status: 404 });
    expect(await send("GET", `mlflow-artifacts/artifacts?path=${place}`)).toMatchObject({
      json: { files: [] },
    });
  });
});

interface Begun {
  readonly upload_id: string;
  readonly credentials: readonly { readonly url: string; readonly headers: Record<string, string> }[];
}

describe("a hostile client", () => {
  it.each<[string, string, string, unknown, number, string]>([
    ["JSON that is none", "POST", "mlflow/runs/search", "{", 400, "not valid JSON"],
    ["a list for an object", "POST", "mlflow/runs/search", [], 400, "not a JSON object"],
    [
      "JSON nested without end",
      "POST",
      "mlflow/runs/search",
      `{"filter":${"[".repeat(200_000)}${"]".repeat(200_000)}}`,
      400,
      "nested too deeply",
    ],
    [
      "a body beyond the limit",
      "POST",
      "mlflow/runs/search",
      `{"filter":"${"x".repeat(17 * 1024 * 1024)}"}`,
      400,
      "larger than 16777216 bytes",
    ],
    [
      "names of JavaScript's own",
      "POST",
      "mlflow/runs/search",
      { experiment_ids: ["0"], filter: "__proto__.a = 'b'" },
      400,
      "Invalid entity type",
    ],
    [
      "a source encoded for ever",
      "POST",
      "mlflow/model-versions/create",
      { name: "digits", source: `s3://%${"25".repeat(4_000)}` },
      400,
      "Invalid model version source",
    ],
    [
      "a path out of its run",
      "GET",
      "mlflow-artifacts/artifacts/0/run_1/artifacts/%252e%252e/x",
      undefined,
      400,
      "Invalid path",
    ],
    [
      "a part of no upload",
      "POST",
      "mlflow-artifacts/mpu/abort/0/run_1/artifacts",
      { path: "a", upload_id: "../../x" },
      404,
      "There is no upload",
    ],
    [
      "too many parts",
      "POST",
      "mlflow-artifacts/mpu/create/0/run_1/artifacts",
      { path: "a", num_parts: 10_001 },
      400,
      "1 to 10000 parts",
    ],
    ["what is not there", "GET", "mlflow/nothing", undefined, 404, "There is no GET mlflow/nothing"],
    [
      "what is deliberately not there",
      "POST",
      "mlflow/traces/search",
      {},
      501,
      "not supported by this server",
    ],
  ])("is answered in MLflow's words: %s", async (_name, method, path, body, status, words) => {
    const answer = await send(method, path, body);
    expect(answer).toMatchObject({ status, json: { message: expect.stringContaining(words) } });
    expect(String(answer.json.message).length).toBeLessThanOrEqual(16_384);
  });

  it("without a token is told what to set", async () => {
    const { status, json } = await send("GET", "mlflow/experiments/search", undefined, "");
    expect(status).toBe(401);
    expect(json).toMatchObject({
      error_code: "UNAUTHENTICATED",
      message: expect.stringContaining(`export MLFLOW_TRACKING_URI=${one.url}`),
    });
  });
});
