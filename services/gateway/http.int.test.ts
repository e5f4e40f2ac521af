import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { registry, tracking } from "@trainyard/contracts";
import { build as buildRegistry, parseRegistryConfig } from "@trainyard/registry";
import { atFileEnd, testLogger, waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { standIn, startGateway, type TestGateway } from "./test-gateway.ts";

const MAX_BLOB_BYTES = 32 * 1024 * 1024;

let one: TestGateway;

beforeAll(async () => {
  one = await startGateway({ TRAINYARD_BLOB_MAX_BYTES: String(MAX_BLOB_BYTES) });
  const app = await buildRegistry(parseRegistryConfig(one.platform.serviceEnv("registry")), {
    logger: testLogger("registry"),
  });
  atFileEnd(() => app.stop());
  await app.start();
  await standIn(one.platform, "tracking", tracking.TrackingService, {
    getRun: ({ runId }) => ({
      run: {
        id: runId,
        project: "default",
        experimentId: "exp_1",
        experiment: "digits",
        status: tracking.RunStatus.COMPLETED,
        params: { lr: 0.1 },
        metrics: { loss: { last: Number.NaN, lastStep: 7n, min: 0.25, max: 2, count: 8n, nanCount: 1n } },
        createdAt: { seconds: 1_700_000_000n },
        version: 3n,
      },
    }),
  });
});

const digestOf = (content: Uint8Array) => createHash("sha256").update(content).digest("hex");

async function http(method: string, path: string, init: RequestInit & { readonly token?: string } = {}) {
  const { token = one.tokens.submitter, headers, ...rest } = init;
  const response = await fetch(`${one.url}${path}`, {
    method,
    headers: { ...(token === "" ? {} : { authorization: `Bearer ${token}` }), ...headers },
    ...rest,
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type") === "application/json" && text !== "";
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson ? JSON.parse(text) : undefined,
  };
}

const json = (method: string, path: string, body: unknown, token?: string) =>
  http(method, path, {
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
    ...(token === undefined ? {} : { token }),
  });

/** Every file below the blob store, so that anything left behind is seen. */
function blobFiles(): string[] {
  const root = join(one.platform.dir, "blobs");
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("pins"))
    .map((entry) => entry.name);
}

describe("a blob", () => {
  const content = randomBytes(3 * 1024 * 1024);
  const path = `/api/v1/blobs/${digestOf(content)}`;

  it("is not there, then stored, then there; the same again is 200", async () => {
    expect((await http("HEAD", path)).status).toBe(404);
    const first = await http("PUT", path, { body: content });
    expect(first).toMatchObject({
      status: 201,
      json: { digest: digestOf(content), sizeBytes: content.length },
    });
    expect((await http("PUT", path, { body: content })).status).toBe(200);
    const head = await http("HEAD", path, { token: one.tokens.approver });
    expect(head.status).toBe(200);
    expect(head.headers.get("content-length")).toBe(String(content.length));
  });

  it("comes back whole, in ranges, or not at all when the client has it", async () => {
    const get = (headers: Record<string, string> = {}) =>
      fetch(`${one.url}${path}`, { headers: { authorization: `Bearer ${one.tokens.approver}`, ...headers } });
    const whole = await get();
    expect(digestOf(Buffer.from(await whole.arrayBuffer()))).toBe(digestOf(content));
    for (const [range, start, end] of [
      ["bytes=10-19", 10, 20],
      ["bytes=3145720-", 3_145_720, content.length],
      ["bytes=-5", content.length - 5, content.length],
      ["bytes=0-99999999", 0, content.length],
    ] as const) {
      const part = await get({ range });
      expect(part.status).toBe(206);
      expect(part.headers.get("content-range")).toBe(`bytes ${start}-${end - 1}/${content.length}`);
      expect(digestOf(Buffer.from(await part.arrayBuffer()))).toBe(digestOf(content.subarray(start, end)));
    }
    const beyond = await get({ range: "bytes=3145728-" });
    expect(beyond.status).toBe(416);
    expect(beyond.headers.get("content-range")).toBe(`bytes */${content.length}`);
    expect(await beyond.json()).toMatchObject({ reason: "RANGE_INVALID" });
    expect((await get({ "if-none-match": whole.headers.get("etag") ?? "" })).status).toBe(304);
  });

  it("of another digest is refused, and nothing is left", async () => {
    const before = blobFiles();
    const wrong = await http("PUT", `/api/v1/blobs/${"a".repeat(64)}`, { body: content });
    expect(wrong).toMatchObject({
      status: 400,
      json: { code: "invalid_argument", reason: "DIGEST_MISMATCH" },
    });
    expect(blobFiles()).toEqual(before);
  });

  it.each([
    ["with its length", (length: number) => `content-length: ${length}\r\n\r\n`, (chunk: string) => chunk],
    [
      "in chunks",
      () => "transfer-encoding: chunked\r\n\r\n",
      (chunk: string) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`,
    ],
  ])("cut off half way leaves nothing (%s)", async (_how, header, frame) => {
    const text = "x".repeat(1024 * 1024);
    const digest = digestOf(Buffer.from(text));
    const before = blobFiles();
    const socket = connect(Number(new URL(one.url).port), "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(
      `PUT /api/v1/blobs/${digest} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${one.tokens.submitter}\r\n`,
    );
    socket.write(header(text.length) + frame(text.slice(0, 600_000)));
    await waitFor("the upload to be under way", () => blobFiles().length > before.length);
    socket.destroy();
    await waitFor("the rest to be gone", () => blobFiles().length === before.length);
    expect((await http("HEAD", `/api/v1/blobs/${digest}`)).status).toBe(404);
  });

  it("that is too large is refused by its length, and without one when it crosses the limit", async () => {
    const large = new Uint8Array(100 * 1024 * 1024);
    const target = `/api/v1/blobs/${digestOf(large)}`;
    const before = blobFiles();
    const refused = { status: 413, json: { code: "resource_exhausted", reason: "BLOB_TOO_LARGE" } };
    expect(await http("PUT", target, { body: large })).toMatchObject(refused);
    const stream = new Blob([large.subarray(0, MAX_BLOB_BYTES + 1024 * 1024)]).stream();
    const streamed: RequestInit & { duplex: string } = { body: stream, duplex: "half" };
    expect(await http("PUT", target, streamed)).toMatchObject(refused);
    expect(blobFiles()).toEqual(before);
    expect((await http("HEAD", path)).status).toBe(200);
  });

  it("is stored by submitters only, read by viewers only, and by nobody without a token", async () => {
    const put = (token: string) => http("PUT", path, { body: content, token });
    expect(await put(one.tokens.approver)).toMatchObject({ status: 403, json: { reason: "ROLE_MISSING" } });
    const missing = await put("");
    expect(missing).toMatchObject({
      status: 401,
      json: { code: "unauthenticated", reason: "TOKEN_MISSING" },
    });
    expect(missing.headers.get("www-authenticate")).toContain("Bearer");
    expect(await http("GET", path, { token: "nonsense" })).toMatchObject({ status: 401 });
  });
});

describe("a path", () => {
  /** As it is, without the resolving that a URL parser would do. */
  async function raw(path: string): Promise<string> {
    const socket = connect(Number(new URL(one.url).port), "127.0.0.1");
    socket.write(
      `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer ${one.tokens.admin}\r\n\r\n`,
    );
    let answer = "";
    for await (const chunk of socket) answer += chunk;
    return answer;
  }

  it.each([
    ["/api/v1/blobs/../../etc/passwd", 404, "ROUTE_NOT_FOUND"],
    ["/api/v1/blobs/..%2f..%2fetc%2fpasswd", 400, "DIGEST_INVALID"],
    ["/api/v1/blobs/%2e%2e", 400, "DIGEST_INVALID"],
    ["/api/v1/blobs/%00", 400, "DIGEST_INVALID"],
    ["/api/v1/blobs/%zz", 400, "PATH_INVALID"],
    ["//etc/passwd", 404, "ROUTE_NOT_FOUND"],
    ["/api/v1/blobs/", 404, "ROUTE_NOT_FOUND"],
  ])("%s leads nowhere", async (path, status, reason) => {
    const answer = await raw(path);
    expect(answer).toContain(`HTTP/1.1 ${status} `);
    expect(answer).toContain(reason);
    expect(answer).not.toContain("root:");
  });

  it("that is not served is told what is", async () => {
    const { status, json: body } = await http("GET", "/api/v2/nothing");
    expect(status).toBe(404);
    expect(body.message).toContain("/api/v1/models/register");
  });

  it("with another method is told which are allowed", async () => {
    const { status, headers, json: body } = await http("GET", "/api/v1/models/register");
    expect(status).toBe(405);
    expect(headers.get("allow")).toBe("POST");
    expect(body).toMatchObject({ reason: "METHOD_NOT_ALLOWED", violations: [] });
  });

  it("/ says what this is, without a token", async () => {
    expect((await http("GET", "/", { token: "" })).json).toMatchObject({ name: "Trainyard" });
  });
});

describe("a run", () => {
  it("is answered in snake_case, by its experiment's id or name", async () => {
    for (const experiment of ["exp_1", "digits"]) {
      const { status, json: run } = await http("GET", `/api/v1/experiments/${experiment}/runs/run_1`);
      expect(status).toBe(200);
      expect(run).toMatchObject({
        id: "run_1",
        experiment_id: "exp_1",
        status: "completed",
        params: { lr: 0.1 },
        metrics: { loss: { last: "NaN", last_step: 7, min: 0.25, count: 8 } },
        version: 3,
        created_at: "2023-11-14T22:13:20Z",
        ended_at: null,
        attempts: [],
      });
    }
  });

  it("of another experiment is not found", async () => {
    const { status, json: error } = await http("GET", "/api/v1/experiments/other/runs/run_1");
    expect(status).toBe(404);
    expect(error).toMatchObject({ code: "not_found", reason: "RUN_NOT_FOUND" });
  });
});

describe("a model version", () => {
  const body = {
    name: "digits",
    version: "1.0.0",
    artifact_uri: "s3://bucket/model",
    metrics: { accuracy: 0.97 },
  };

  it("is registered in staging, once, also when the request is repeated with its key", async () => {
    const send = () =>
      http("POST", "/api/v1/models/register", {
        body: JSON.stringify({ ...body, stage: "staging" }),
        headers: { "content-type": "application/json; charset=utf-8", "idempotency-key": "first" },
      });
    const made = await send();
    expect(made).toMatchObject({
      status: 201,
      json: { model: "digits", version: "1.0.0", number: 1, stage: "staging", metrics: { accuracy: 0.97 } },
    });
    expect((await send()).json.id).toBe(made.json.id);
    const again = await json("POST", "/api/v1/models/register", body);
    expect(again).toMatchObject({
      status: 409,
      json: { code: "already_exists", reason: "MODEL_VERSION_EXISTS" },
    });
  });

  it("does not become champion by the word production without what champion needs", async () => {
    const path = "/api/v1/models/digits/versions/1.0.0/stage";
    const asSubmitter = await json("PUT", path, { stage: "production" });
    const asChampion = await json("PUT", path, { stage: "champion" });
    expect(asSubmitter.status).toBeGreaterThanOrEqual(403);
    expect(asSubmitter).toMatchObject({ status: asChampion.status, json: asChampion.json });
    const asApprover = await json("PUT", path, { stage: "production" }, one.tokens.approver);
    expect(asApprover).toMatchObject({ status: 409, json: { reason: "GATE_MISSING" } });
    const client = one.client(registry.RegistryService, one.tokens.submitter);
    const { modelVersion } = await client.getModelVersion({ model: "digits", version: "1.0.0" });
    expect(modelVersion?.stage).toBe(registry.Stage.STAGING);
  });

  it("moves where it may", async () => {
    const path = "/api/v1/models/digits/versions/1.0.0/stage";
    const moved = await json("PUT", path, { stage: "archived", reason: "not needed" });
    expect(moved).toMatchObject({ status: 200, json: { version: "1.0.0", stage: "archived" } });
    const missing = await json("PUT", "/api/v1/models/none/versions/1/stage", { stage: "archived" });
    expect(missing).toMatchObject({ status: 404, json: { reason: "MODEL_NOT_FOUND" } });
  });

  it("is not registered in a stage that it has to earn, and nothing is registered then", async () => {
    const refused = await json("POST", "/api/v1/models/register", {
      ...body,
      version: "2.0.0",
      stage: "production",
    });
    expect(refused).toMatchObject({ status: 409, json: { reason: "STAGE_NOT_FIRST" } });
    const client = one.client(registry.RegistryService, one.tokens.submitter);
    expect((await client.listModelVersions({ model: "digits" })).modelVersions).toHaveLength(1);
  });

  it("is refused with all that is wrong in the body", async () => {
    const wrong = await json("POST", "/api/v1/models/register", { name: 7, metrics: { a: "b" }, extra: 1 });
    expect(wrong).toMatchObject({ status: 400, json: { code: "invalid_argument", reason: "BODY_INVALID" } });
    const fields = wrong.json.violations.map(({ field }: { field: string }) => field);
    expect(fields).toEqual(expect.arrayContaining(["name", "artifact_uri", "metrics.a"]));
    const stage = await json("POST", "/api/v1/models/register", { ...body, stage: "prod" });
    expect(stage).toMatchObject({ status: 400, json: { reason: "STAGE_UNKNOWN" } });
  });

  it("is refused as what is not JSON, not said to be JSON, or more than a mebibyte", async () => {
    const send = (text: string, type = "application/json") =>
      http("POST", "/api/v1/models/register", { body: text, headers: { "content-type": type } });
    expect(await send("{oops")).toMatchObject({ status: 400, json: { reason: "JSON_INVALID" } });
    expect(await send("[]")).toMatchObject({ status: 400, json: { reason: "BODY_INVALID" } });
    const asText = await send(JSON.stringify(body), "text/plain");
    expect(asText).toMatchObject({ status: 415, json: { reason: "CONTENT_TYPE_UNSUPPORTED" } });
    const large = await send(" ".repeat(1024 * 1024 + 1));
    expect(large).toMatchObject({
      status: 413,
      json: { code: "resource_exhausted", reason: "BODY_TOO_LARGE" },
    });
    expect((await http("GET", "/", { token: "" })).status).toBe(200);
  });

  it("is refused to a client that sends all of it before it looks for the answer", async () => {
    const huge = Buffer.alloc(100 * 1024 * 1024, " ");
    const { hostname, port } = new URL(one.url);
    const socket = connect(Number(port), hostname).pause();
    const sent = new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      const head = [
        "POST /api/v1/models/register HTTP/1.1",
        "host: x",
        `authorization: Bearer ${one.tokens.submitter}`,
        "content-type: application/json",
        `content-length: ${huge.length}`,
      ];
      socket.write(`${head.join("\r\n")}\r\n\r\n`);
      socket.write(huge, (error) => (error ? reject(error) : resolve()));
    });
    await sent;
    const [answer] = await once(socket.resume(), "data");
    expect(String(answer)).toMatch(/^HTTP\/1.1 413 /);
    socket.destroy();
  });
});
