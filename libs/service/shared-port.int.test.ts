import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { health as healthContract, reflection, scheduler } from "@trainyard/contracts";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createHealth } from "./health.ts";
import { rpcClient } from "./rpc-client.ts";
import { startTestServer, type TestKeys, type TestServer, testKeys } from "./test-service.ts";

const HUGE_BYTES = 100 * 1024 * 1024;
const HOUR_MS = 3_600_000;
/** For what comes at once, unless the machine is busy. */
const patient = { timeout: 60_000 };

let keys: TestKeys;
const running: TestServer[] = [];
const sockets: Socket[] = [];

beforeAll(async () => {
  keys = await testKeys();
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(running.splice(0).map(({ server }) => server.stop(AbortSignal.timeout(5_000))));
});

afterAll(() => keys.remove());

async function start(options: Parameters<typeof startTestServer>[2] = {}): Promise<TestServer> {
  const started = await startTestServer(keys, { listNodes: () => ({}) }, options);
  running.push(started);
  return started;
}

/** A plain connection, and all that came back over it once it is closed. */
function rawConnection(url: string) {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  sockets.push(socket);
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
  });
  socket.on("error", () => undefined);
  const closed = new Promise<string>((resolve) => socket.once("close", () => resolve(received)));
  return { socket, closed, received: () => received };
}

/** A unary call by grpc-js, an implementation that shares no code with the server's. */
function grpcCall(url: string, path: string, request: Uint8Array): Promise<Uint8Array> {
  const client = new grpc.Client(new URL(url).host, grpc.credentials.createInsecure(), {
    "grpc.max_send_message_length": -1,
  });
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes) => new Uint8Array(bytes),
      request,
      (error, answer) => {
        client.close();
        if (error !== null) reject(error);
        else resolve(answer ?? new Uint8Array());
      },
    );
  });
}

const listNodes = "/trainyard.scheduler.v1.SchedulerService/ListNodes";

describe("one port", () => {
  it("serves a request that arrives byte by byte, over HTTP/1.1 and HTTP/2", async () => {
    const { url } = await start();
    const { socket, closed } = rawConnection(url);
    for (const byte of "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n") {
      socket.write(byte);
      await sleep(1);
    }
    expect(await closed).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*alive/);
    const h2 = rawConnection(url);
    for (const byte of "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") {
      h2.socket.write(byte, "latin1");
      await sleep(1);
    }
    // What the server says first is its settings frame: length, then type 4.
    await expect.poll(() => h2.received().charCodeAt(3), patient).toBe(4);
  });

  it("serves a POST whose head and body come in one piece", async () => {
    const { url } = await start();
    const { socket, closed } = rawConnection(url);
    socket.write(
      `POST ${listNodes} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}`,
    );
    expect(await closed).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  it("drops clients that say nothing or stop in the middle of the preface, and serves others meanwhile", async () => {
    const { url } = await start();
    const silent = rawConnection(url);
    const stuck = rawConnection(url);
    stuck.socket.write("P");
    await rpcClient(scheduler.SchedulerService, url).listNodes({});
    // No timeout of HTTP's ends these.
    expect(await Promise.all([silent.closed, stuck.closed])).toEqual(["", ""]);
  });

  it("answers what nobody serves with 404, and nonsense without harm", async () => {
    const { url } = await start();
    expect((await fetch(`${url}/nothing`)).status).toBe(404);
    for (const text of [
      `POST http://[ HTTP/1.1\r\nhost: x\r\n\r\n`,
      `POST ${listNodes} HTTP/1.1\r\nhost: [\r\ncontent-type: application/json\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`,
      "\0\0\0\0 garbage\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage that is no frame at all, for sure",
    ]) {
      const { socket, closed } = rawConnection(url);
      socket.end(text, "latin1");
      await closed;
    }
    await rpcClient(scheduler.SchedulerService, url).listNodes({});
  });
});

describe("a 100 MB request", () => {
  it("is refused cleanly to grpc-js, and the server serves on", async () => {
    const { url } = await start();
    await expect(grpcCall(url, listNodes, new Uint8Array(HUGE_BYTES))).rejects.toMatchObject({
      code: grpc.status.RESOURCE_EXHAUSTED,
    });
    await grpcCall(url, listNodes, new Uint8Array());
  });

  it("is refused cleanly over HTTP/1.1, and the server serves on", async () => {
    const { url } = await start();
    const { socket, closed } = rawConnection(url);
    socket.write(
      `POST ${listNodes} HTTP/1.1\r\nhost: x\r\ncontent-type: application/proto\r\nconnection: close\r\ncontent-length: ${HUGE_BYTES}\r\n\r\n`,
    );
    socket.write(Buffer.alloc(HUGE_BYTES));
    expect(await closed).toMatch(/^HTTP\/1\.1 429[\s\S]*resource_exhausted/);
    await rpcClient(scheduler.SchedulerService, url).listNodes({});
  });

  it("of a client without a limit of its own spoils that client's connection at most, and no other's", async () => {
    const { url } = await start();
    const client = createClient(scheduler.SchedulerService, createGrpcTransport({ baseUrl: url }));
    const huge = create(scheduler.ListNodesRequestSchema);
    huge.$unknown = [{ no: 1000, wireType: 2, data: new Uint8Array(HUGE_BYTES) }];
    await expect((async () => await client.listNodes(huge))()).rejects.toThrow();
    // Node's HTTP/2 client then refuses its own calls (ENHANCE_YOUR_CALM); hence the limit in rpcClient.
    await rpcClient(scheduler.SchedulerService, url).listNodes({});
  });

  it("is not even read when it carries no token", async () => {
    const { url } = await start();
    const path = "/trainyard.scheduler.v1.SchedulerService/SubmitJob";
    await expect(grpcCall(url, path, new Uint8Array(HUGE_BYTES))).rejects.toMatchObject({
      code: grpc.status.UNAUTHENTICATED,
    });
  });
});

describe("for whoever runs it", () => {
  it("/healthz is about the process, /readyz about what it needs, and grpc.health.v1 agrees", async () => {
    let mongodb: () => Promise<void> = async () => undefined;
    const health = createHealth({ checks: { mongodb: () => mongodb() } });
    const { url } = await start({ health });
    const check = async (service = "") => {
      const request = toBinary(
        healthContract.HealthCheckRequestSchema,
        create(healthContract.HealthCheckRequestSchema, { service }),
      );
      const answer = await grpcCall(url, "/grpc.health.v1.Health/Check", request);
      return fromBinary(healthContract.HealthCheckResponseSchema, answer).status;
    };
    const readyz = async () => {
      const response = await fetch(`${url}/readyz`);
      return { status: response.status, body: await response.json() };
    };
    const { HealthCheckResponse_ServingStatus: Status } = healthContract;
    expect(await readyz()).toMatchObject({ status: 503, body: { started: false } });
    expect(await check()).toBe(Status.NOT_SERVING);

    health.setStarted(true);
    expect(await readyz()).toEqual({
      status: 200,
      body: { ready: true, started: true, checks: { mongodb: "ok" } },
    });
    expect(await check("trainyard.scheduler.v1.SchedulerService")).toBe(Status.SERVING);
    await expect(check("no.such.Service")).rejects.toMatchObject({ code: grpc.status.NOT_FOUND });

    mongodb = () => Promise.reject(new Error("away"));
    await expect.poll(readyz, patient).toMatchObject({
      status: 503,
      body: { checks: { mongodb: "unreachable" } },
    });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it("grpc.health.v1 watchers hear of a change", async () => {
    const { url, health } = await start();
    const client = createClient(healthContract.Health, createGrpcTransport({ baseUrl: url }));
    const seen: number[] = [];
    for await (const { status } of client.watch({ service: "" })) {
      seen.push(status);
      if (seen.length === 2) break;
      health.setStarted(false);
    }
    const { SERVING, NOT_SERVING } = healthContract.HealthCheckResponse_ServingStatus;
    expect(seen).toEqual([SERVING, NOT_SERVING]);
  });

  it("/metrics is in Prometheus' format and counts calls by method", async () => {
    const { url } = await start();
    await rpcClient(scheduler.SchedulerService, url).listNodes({});
    const text = await (await fetch(`${url}/metrics`)).text();
    expect(text).toMatch(
      /trainyard_rpc_duration\w*_count\{[^}]*method="trainyard\.scheduler\.v1\.SchedulerService\/ListNodes"/,
    );
  });

  it("reflection lists the services and gives a file with all that it imports", async () => {
    const { url } = await start();
    const client = new grpc.Client(new URL(url).host, grpc.credentials.createInsecure());
    const stream = client.makeBidiStreamRequest(
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      (request: reflection.ServerReflectionRequest) =>
        Buffer.from(toBinary(reflection.ServerReflectionRequestSchema, request)),
      (bytes) => fromBinary(reflection.ServerReflectionResponseSchema, new Uint8Array(bytes)),
    );
    const answers: reflection.ServerReflectionResponse["messageResponse"][] = [];
    const ended = new Promise((resolve) => stream.on("end", resolve));
    stream.on(
      "data",
      (answer: reflection.ServerReflectionResponse) => void answers.push(answer.messageResponse),
    );
    const ask = (messageRequest: reflection.ServerReflectionRequest["messageRequest"]) =>
      stream.write(create(reflection.ServerReflectionRequestSchema, { messageRequest }));
    ask({ case: "listServices", value: "*" });
    ask({ case: "fileContainingSymbol", value: "trainyard.scheduler.v1.SchedulerService.SubmitJob" });
    ask({ case: "fileByFilename", value: "trainyard/scheduler/v1/job.proto" });
    ask({ case: "fileContainingSymbol", value: "no.Such" });
    stream.end();
    await ended;
    client.close();
    const [list, bySymbol, byName, missing] = answers;
    const names = list?.case === "listServicesResponse" ? list.value.service.map(({ name }) => name) : [];
    expect(names).toEqual(
      expect.arrayContaining(["trainyard.scheduler.v1.SchedulerService", "grpc.health.v1.Health"]),
    );
    const files = (bySymbol?.case === "fileDescriptorResponse" ? bySymbol.value.fileDescriptorProto : []).map(
      (bytes) => fromBinary(FileDescriptorProtoSchema, bytes),
    );
    const paths = files.map(({ name }) => name);
    expect(paths[0]).toBe("trainyard/scheduler/v1/scheduler.proto");
    for (const file of files) expect(paths).toEqual(expect.arrayContaining(file.dependency));
    expect(byName?.case).toBe("fileDescriptorResponse");
    expect(missing).toMatchObject({ case: "errorResponse", value: { errorCode: grpc.status.NOT_FOUND } });
  });
});

describe("stopping", () => {
  it("does not wait for its grace to end although idle and silent clients are connected", async () => {
    const { url, server } = await start({ stopGraceMs: HOUR_MS });
    rawConnection(url);
    await fetch(`${url}/healthz`);
    await rpcClient(scheduler.SchedulerService, url).listNodes({});
    await server.stop(new AbortController().signal);
  });

  it("cuts off an upload that never ends when time is up", async () => {
    const { url, server } = await start({ stopGraceMs: HOUR_MS });
    const { socket, closed, received } = rawConnection(url);
    socket.write(
      `POST ${listNodes} HTTP/1.1\r\nhost: x\r\ncontent-type: application/proto\r\nexpect: 100-continue\r\ncontent-length: 100\r\n\r\nx`,
    );
    await expect.poll(received, patient).toContain("100 Continue");
    await server.stop(AbortSignal.timeout(300));
    await closed;
  });
});
