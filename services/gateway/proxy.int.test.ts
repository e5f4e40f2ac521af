import { createServer, type ServerHttp2Session } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { errorDetails, reflection, registry, scheduler, tracking } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { type Principal, principalOf } from "@trainyard/service";
import { currentTraceId } from "@trainyard/telemetry";
import { waitFor } from "@trainyard/testing";
import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { failureOf, standIn, startGateway, type TestGateway } from "./test-gateway.ts";

let one: TestGateway;
const seen: { principals: Principal[]; traces: (string | undefined)[]; deadlines: (number | undefined)[] } = {
  principals: [],
  traces: [],
  deadlines: [],
};
let openStreams = 0;
let hanging = 0;

beforeAll(async () => {
  one = await startGateway();
  await standIn(one.platform, "scheduler", scheduler.SchedulerService, {
    async getJob({ jobId }, context) {
      seen.principals.push(principalOf(context));
      seen.traces.push(currentTraceId());
      seen.deadlines.push(context.timeoutMs());
      if (jobId === "hang") {
        hanging++;
        await new Promise((resolve) => context.signal.addEventListener("abort", resolve, { once: true }));
        hanging--;
      }
      return { job: { id: jobId, createdBy: "digits" } };
    },
    submitJob() {
      throw new DomainError(
        "failed_precondition",
        "DATASET_DEPRECATED",
        "digits@1 is deprecated; use digits@2.",
        {
          violations: [{ field: "spec.dataset", description: "is deprecated" }],
          metadata: { dataset: "digits@1" },
          retryAfterMs: 1_500,
        },
      );
    },
    async *watchJob({ jobId }, context) {
      openStreams++;
      try {
        for (let count = 0; count < 3; count++) yield { job: { id: jobId, createdBy: `${count}` } };
        if (jobId === "fail") throw new DomainError("not_found", "JOB_NOT_FOUND", "There is no such job.");
        if (jobId !== "endless") return;
        await new Promise((resolve) => context.signal.addEventListener("abort", resolve, { once: true }));
      } finally {
        openStreams--;
      }
    },
  });
});

beforeEach(() => {
  seen.principals.length = 0;
  seen.traces.length = 0;
  seen.deadlines.length = 0;
});

const path = (method: string) => `/trainyard.scheduler.v1.SchedulerService/${method}`;
const auth = (token: string) => ({ authorization: `Bearer ${token}` });

/** grpc-js: an implementation that shares no code with the gateway's. */
function grpcClient() {
  return new grpc.Client(new URL(one.url).host, grpc.credentials.createInsecure(), {
    "grpc.max_send_message_length": -1,
  });
}

const grpcMetadata = (token: string) => grpc.Metadata.fromHttp2Headers(auth(token));
const bytes = (message: Uint8Array) => Buffer.from(message);

const grpcUnary = (method: string, request: Uint8Array, token = one.tokens.submitter) =>
  new Promise<Uint8Array>((resolve, reject) => {
    const client = grpcClient();
    client.makeUnaryRequest(
      path(method),
      bytes,
      (answer) => new Uint8Array(answer),
      request,
      grpcMetadata(token),
      (error, answer) => {
        client.close();
        if (error !== null) reject(error);
        else resolve(answer ?? new Uint8Array());
      },
    );
  });

describe.each([
  ["gRPC", () => createGrpcTransport({ baseUrl: one.url })],
  ["Connect over HTTP/1.1", () => createConnectTransport({ baseUrl: one.url, httpVersion: "1.1" })],
  ["Connect over HTTP/2", () => createConnectTransport({ baseUrl: one.url, httpVersion: "2" })],
])("a %s client", (_name, transport) => {
  const client = () => createClient(scheduler.SchedulerService, transport());

  it("gets a unary answer from the service behind, which sees the user", async () => {
    const { job } = await client().getJob({ jobId: "job_1" }, { headers: auth(one.tokens.submitter) });
    expect(job?.createdBy).toBe("digits");
    expect(seen.principals).toEqual([
      { kind: "user", name: "ada", roles: ["submitter"], project: "default" },
    ]);
  });

  it("gets a stream's messages, and the error that ends it", async () => {
    const names: string[] = [];
    const watch = async () => {
      const options = { headers: auth(one.tokens.submitter) };
      for await (const { job } of client().watchJob({ jobId: "fail" }, options))
        names.push(job?.createdBy ?? "");
    };
    expect(await failureOf(watch())).toMatchObject({ code: "not_found", reason: "JOB_NOT_FOUND" });
    expect(names).toEqual(["0", "1", "2"]);
  });

  it("gets an error with every detail of the service's", async () => {
    const error = await client()
      .submitJob({ requestId: "r1" }, { headers: auth(one.tokens.submitter) })
      .then(
        () => undefined,
        (caught: unknown) => ConnectError.from(caught),
      );
    expect(error?.code).toBe(Code.FailedPrecondition);
    expect(error?.rawMessage).toBe("digits@1 is deprecated; use digits@2.");
    expect(error?.findDetails(errorDetails.ErrorInfoSchema)).toMatchObject([
      { reason: "DATASET_DEPRECATED", domain: "trainyard", metadata: { dataset: "digits@1" } },
    ]);
    expect(error?.findDetails(errorDetails.BadRequestSchema)[0]?.fieldViolations).toMatchObject([
      { field: "spec.dataset", description: "is deprecated" },
    ]);
    expect(error?.findDetails(errorDetails.RetryInfoSchema)[0]?.retryDelay).toMatchObject({ seconds: 1n });
  });

  it("is refused without a token before the service behind hears of it", async () => {
    expect(await failureOf(client().getJob({ jobId: "job_1" }))).toMatchObject({ reason: "TOKEN_MISSING" });
    expect(seen.principals).toEqual([]);
  });
});

describe("a grpc-js client", () => {
  it("gets a unary answer, a stream, and error details", async () => {
    const request = toBinary(
      scheduler.GetJobRequestSchema,
      create(scheduler.GetJobRequestSchema, { jobId: "job_1" }),
    );
    expect(Buffer.from(await grpcUnary("GetJob", request)).toString()).toContain("digits");

    const client = grpcClient();
    const watch = create(scheduler.WatchJobRequestSchema, { jobId: "job_1" });
    const stream = client.makeServerStreamRequest(
      path("WatchJob"),
      bytes,
      (answer) => answer,
      toBinary(scheduler.WatchJobRequestSchema, watch),
      grpcMetadata(one.tokens.submitter),
    );
    let messages = 0;
    for await (const _message of stream) messages++;
    client.close();
    expect(messages).toBe(3);

    const refused = grpcUnary("SubmitJob", new Uint8Array());
    await expect(refused).rejects.toMatchObject({ code: grpc.status.FAILED_PRECONDITION });
    const error = await refused.catch((caught: grpc.ServiceError) => caught);
    const details = (error as grpc.ServiceError).metadata.get("grpc-status-details-bin")[0];
    expect(details?.toString()).toContain("DATASET_DEPRECATED");
  });

  it("that sends 100 MB is told so cleanly, and the gateway goes on serving it and others", async () => {
    const client = grpcClient();
    const call = (request: Uint8Array) =>
      new Promise<void>((resolve, reject) => {
        const done = (error: grpc.ServiceError | null) => (error === null ? resolve() : reject(error));
        client.makeUnaryRequest(
          path("GetJob"),
          bytes,
          bytes,
          request,
          grpcMetadata(one.tokens.submitter),
          done,
        );
      });
    const huge = new Uint8Array(100 * 1024 * 1024);
    await expect(call(huge)).rejects.toMatchObject({ code: grpc.status.RESOURCE_EXHAUSTED });
    await call(new Uint8Array());
    client.close();
    await one.client(scheduler.SchedulerService, one.tokens.submitter).getJob({ jobId: "job_1" });
  });
});

describe("the gateway passes on", () => {
  it("the caller's trace and deadline", async () => {
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const headers = { ...auth(one.tokens.submitter), traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
    const client = createClient(scheduler.SchedulerService, createGrpcTransport({ baseUrl: one.url }));
    await client.getJob({ jobId: "job_1" }, { headers, timeoutMs: 300_000 });
    expect(seen.traces).toEqual([traceId]);
    expect(seen.deadlines[0]).toBeLessThanOrEqual(300_000);
    expect(seen.deadlines[0]).toBeGreaterThan(200_000);
  });

  it("that the deadline has passed", async () => {
    const client = one.client(scheduler.SchedulerService, one.tokens.submitter);
    const failure = await failureOf(client.getJob({ jobId: "hang" }, { timeoutMs: 300 }));
    expect(failure.code).toBe("deadline_exceeded");
    await waitFor("the call behind to end", () => hanging === 0);
  });

  it("that the caller went away, so that the stream behind ends", async () => {
    const leaving = new AbortController();
    const client = one.client(scheduler.SchedulerService, one.tokens.submitter);
    const watch = async () => {
      for await (const { job } of client.watchJob(
        { jobId: "endless" },
        { signal: leaving.signal, timeoutMs: 0 },
      )) {
        if (job?.createdBy === "2") leaving.abort();
      }
    };
    await failureOf(watch());
    await waitFor("the stream behind to end", () => openStreams === 0);
  });
});

describe("the gateway refuses", () => {
  it("what only the platform's own parts may call", async () => {
    const client = one.client(tracking.TrackingService, one.tokens.admin);
    for (const call of [
      () => client.openAttempt({}),
      () => client.holdCheckpoint({}),
      () => client.reportCheckpointPart({}),
      () => client.reportRecovery({}),
      () => client.logArtifact({}),
      () => client.logModel({}),
      () => client.getTelemetryOffsets({}),
    ]) {
      expect(await failureOf(call())).toMatchObject({ code: "permission_denied", reason: "METHOD_INTERNAL" });
    }
  });

  it("to name addresses when the service behind does not answer", async () => {
    const failure = await failureOf(
      one.client(tracking.TrackingService, one.tokens.admin).getRun({ runId: "run_1" }),
    );
    expect(failure).toMatchObject({ code: "unavailable", reason: "SERVICE_UNAVAILABLE" });
    expect(failure.message).toContain("tracking");
    expect(failure.message).not.toContain("127.0.0.1");
  });
});

it.each([
  ["its connection breaks", (session: ServerHttp2Session) => session.destroy()],
  ["its process is killed", (session: ServerHttp2Session) => session.socket.resetAndDestroy()],
])("says that a service which went away in mid-call is unavailable: %s", async (_how, die) => {
  const dying = createServer();
  dying.on("session", (session) => session.on("error", () => undefined));
  dying.on("stream", (stream) => {
    stream.on("error", () => undefined);
    if (stream.session !== undefined) die(stream.session as ServerHttp2Session);
  });
  const { hostname, port } = new URL(one.platform.url("registry"));
  dying.listen(Number(port), hostname);
  onTestFinished(() => void dying.close());
  const client = one.client(registry.RegistryService, one.tokens.submitter);
  expect(await failureOf(client.listModelVersions({}))).toMatchObject({
    code: "unavailable",
    reason: "SERVICE_UNAVAILABLE",
  });
});

it("shows every service by reflection", async () => {
  const transport = createGrpcTransport({ baseUrl: one.url });
  const client = createClient(reflection.ServerReflection, transport);
  async function* ask() {
    yield { messageRequest: { case: "listServices", value: "" } as const };
  }
  const names: string[] = [];
  for await (const { messageResponse } of client.serverReflectionInfo(ask())) {
    if (messageResponse.case === "listServicesResponse") {
      names.push(...messageResponse.value.service.map(({ name }) => name));
    }
  }
  for (const service of [
    "scheduler.v1.SchedulerService",
    "tracking.v1.TrackingService",
    "dataset.v1.DatasetService",
    "evaluation.v1.EvaluationService",
    "registry.v1.RegistryService",
    "gateway.v1.TokenService",
    "gateway.v1.EventService",
    "gateway.v1.DeadLetterService",
  ]) {
    expect(names).toContain(`trainyard.${service}`);
  }
});
