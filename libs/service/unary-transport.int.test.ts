import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { scheduler } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { currentTraceparent, withSpan } from "@trainyard/telemetry";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { rpcClient } from "./rpc-client.ts";
import { startTestServer, type TestKeys, type TestServer, testKeys } from "./test-service.ts";

const HOUR_MS = 3_600_000;
const { SchedulerService } = scheduler;

let keys: TestKeys;
const running: { stop(): Promise<unknown> }[] = [];

beforeAll(async () => {
  keys = await testKeys();
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()));
});

afterAll(() => keys.remove());

type Handlers = Parameters<typeof startTestServer>[1];
type Options = Parameters<typeof startTestServer>[2];

async function start(handlers: Handlers, options?: Options): Promise<TestServer> {
  const started = await startTestServer(keys, handlers, options);
  running.push({ stop: () => started.server.stop(AbortSignal.timeout(5_000)) });
  return started;
}

const clientOf = (url: string, options: Parameters<typeof rpcClient>[2] = {}) =>
  rpcClient(SchedulerService, url, { ...options, unaryOnly: true });

async function failure(call: Promise<unknown>): Promise<ConnectError> {
  try {
    await call;
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error("expected the call to fail");
}

const ofBytes = (bytes: number) => {
  const message = create(scheduler.ListNodesRequestSchema);
  message.$unknown = [{ no: 1000, wireType: 2, data: new Uint8Array(bytes) }];
  return message;
};

/** Takes connections and does with them what the test says. */
async function startRaw(serve: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    serve(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  running.push({
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

describe.each([
  { way: "over HTTP/1.1", withinProcess: false },
  { way: "within the process", withinProcess: true },
])("a call $way", ({ withinProcess }) => {
  const clientOf = (url: string, options: Parameters<typeof rpcClient>[2] = {}) =>
    rpcClient(SchedulerService, url, { ...options, unaryOnly: true, withinProcess });

  it("carries headers, the deadline and the trace there, and the answer, headers and trailers back", async () => {
    const seen: Record<string, unknown> = {};
    const getJob: NonNullable<Handlers["getJob"]> = (request, context) => {
      seen.id = request.jobId;
      seen.project = context.requestHeader.get("trainyard-project");
      seen.left = context.timeoutMs();
      // What HTTP adds to every request.
      seen.hasHost = context.requestHeader.has("host");
      seen.trace = currentTraceparent()?.split("-")[1];
      context.responseHeader.set("x-answered", "yes");
      context.responseTrailer.set("x-after", "1");
      return { job: { id: "job_ä" } };
    };
    const viewer = { name: "vic", kind: "user", roles: ["viewer"] } as const;
    const { url } = await start({ getJob }, { authenticate: async () => viewer });
    const client = clientOf(url);
    const back: (string | null)[] = [];
    const { job, trace } = await withSpan("test", "caller", {}, async (span) => {
      const answer = await client.getJob(
        { jobId: "job_ö" },
        {
          timeoutMs: 5_000,
          headers: { "trainyard-project": "vision" },
          onHeader: (headers) => back.push(headers.get("x-answered")),
          onTrailer: (headers) => back.push(headers.get("x-after")),
        },
      );
      return { ...answer, trace: span.spanContext().traceId };
    });
    expect(job?.id).toBe("job_ä");
    expect(seen).toMatchObject({ id: "job_ö", project: "vision", trace, hasHost: !withinProcess });
    expect(seen.left).toBeGreaterThan(4_000);
    expect(seen.left).toBeLessThanOrEqual(5_000);
    expect(back).toEqual(["yes", "1"]);
  });

  it("fails with what the service threw, whole", async () => {
    const thrown = new DomainError(
      "failed_precondition",
      "DATASET_DEPRECATED",
      "Version 1.2.0 is deprecated.",
      {
        metadata: { replacement: "1.3.0" },
        retryAfterMs: 1_500,
      },
    );
    const { url } = await start({
      listNodes: () => {
        throw thrown;
      },
    });
    const told = await failure(rpcClient(SchedulerService, url).listNodes({}));
    const error = await failure(clientOf(url).listNodes({}));
    expect(error.details).toHaveLength(told.details.length);
    expect(error).toMatchObject({ code: told.code, rawMessage: told.rawMessage });
  });

  it("goes beside others, each with its own answer", async () => {
    const { url } = await start({
      listNodes: async (_request, context) => {
        const wait = context.requestHeader.get("x-wait") ?? "";
        await sleep(Number(wait));
        return { nodes: [{ id: wait }] };
      },
    });
    const client = clientOf(url);
    const waits = Array.from({ length: 60 }, (_, index) => 60 - index);
    const answers = await Promise.all(
      waits.map((wait) => client.listNodes({}, { headers: { "x-wait": String(wait) } })),
    );
    expect(answers.map(({ nodes }) => Number(nodes[0]?.id))).toEqual(waits);
  });

  it("ends at its deadline, at the client's, and when it is taken back; the handler is told", async () => {
    const told: string[] = [];
    const entered: (() => void)[] = [];
    const { url } = await start({
      listNodes: async (_request, context) => {
        entered.shift()?.();
        await sleep(HOUR_MS, undefined, { signal: context.signal }).finally(() => told.push("ended"));
        return {};
      },
    });
    expect(await failure(clientOf(url).listNodes({}, { timeoutMs: 100 }))).toMatchObject({
      code: Code.DeadlineExceeded,
    });
    expect(await failure(clientOf(url, { timeoutMs: 100 }).listNodes({}))).toMatchObject({
      code: Code.DeadlineExceeded,
    });
    const taken = new AbortController();
    entered.push(() => taken.abort());
    expect(await failure(clientOf(url).listNodes({}, { signal: taken.signal }))).toMatchObject({
      code: Code.Canceled,
    });
    await expect.poll(() => told).toHaveLength(3);
    expect(await failure(clientOf(url).listNodes({}, { signal: AbortSignal.abort() }))).toMatchObject({
      code: Code.Canceled,
    });
  });

  it("goes through again when the service is back on its port", async () => {
    const { url, server } = await start({ listNodes: () => ({ nodes: [{ id: "before" }] }) });
    const client = clientOf(url);
    await client.listNodes({});
    await server.stop(AbortSignal.timeout(5_000));
    expect(await failure(client.listNodes({}))).toMatchObject({ code: Code.Unavailable });
    await start({ listNodes: () => ({ nodes: [{ id: "after" }] }) }, { port: Number(new URL(url).port) });
    expect((await client.listNodes({})).nodes[0]?.id).toBe("after");
  });

  it("is refused without a token that lets it in", async () => {
    const { url } = await start({ getJob: () => ({}) });
    expect(await failure(clientOf(url).getJob({}))).toMatchObject({ code: Code.Unauthenticated });
    const forged = clientOf(url, { token: async () => "not.a.token" });
    expect(await failure(forged.getJob({}))).toMatchObject({ code: Code.Unauthenticated });
  });

  it("is refused where it or its answer is too long", async () => {
    const { url } = await start(
      { listNodes: (request) => ({ nodes: request.$unknown ? [] : [{ id: "x".repeat(5_000) }] }) },
      { maxMessageBytes: 10_000 },
    );
    const small = clientOf(url, { maxMessageBytes: 4_000 });
    expect(await failure(small.listNodes(ofBytes(4_001)))).toMatchObject({ code: Code.ResourceExhausted });
    expect(await failure(small.listNodes({}))).toMatchObject({ code: Code.ResourceExhausted });
    expect(await failure(clientOf(url).listNodes(ofBytes(10_001)))).toMatchObject({
      code: Code.ResourceExhausted,
    });
  });

  it("that is under way ends before a stopping server has stopped, and is cut off where it takes too long", async () => {
    const never = new Promise(() => undefined);
    for (const [work, outcome] of [
      [sleep(200), "done"],
      [never, "cut off"],
    ] as const) {
      const entered = Promise.withResolvers<void>();
      const listNodes = async () => {
        entered.resolve();
        await work;
        return {};
      };
      const { url, server } = await start({ listNodes }, { stopGraceMs: 1_000 });
      const call = clientOf(url)
        .listNodes({}, { timeoutMs: HOUR_MS })
        .then(
          () => "done",
          (error) => (ConnectError.from(error).code === Code.Unavailable ? "cut off" : error),
        );
      await entered.promise;
      await server.stop(AbortSignal.timeout(5_000));
      expect(await call).toBe(outcome);
    }
  });
});

describe("a call that comes to no answer", () => {
  it("ends at its deadline where the service hears nothing of it, and is not made after it", async () => {
    let connections = 0;
    const deaf = await startRaw(() => {
      connections += 1;
    });
    for (const timeoutMs of [100, -1]) {
      expect(await failure(clientOf(deaf).listNodes({}, { timeoutMs }))).toMatchObject({
        code: Code.DeadlineExceeded,
      });
    }
    expect(connections).toBe(1);
  });

  it("is UNAVAILABLE where nobody listens, and where the connection breaks before or within the answer", async () => {
    expect(await failure(clientOf("http://127.0.0.1:1").listNodes({}))).toMatchObject({
      code: Code.Unavailable,
    });
    const mute = await startRaw((socket) => socket.once("data", () => socket.destroy()));
    expect(await failure(clientOf(mute).listNodes({}))).toMatchObject({ code: Code.Unavailable });
    const head = "HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\ncontent-length: 100\r\n\r\nabc";
    const cut = await startRaw((socket) =>
      socket.once("data", () => socket.write(head, () => setImmediate(() => socket.destroy()))),
    );
    expect(await failure(clientOf(cut).listNodes({}))).toMatchObject({ code: Code.Unavailable });
  });

  it("does not begin on a connection that the service is about to close: the client closes it before", async () => {
    const length = "content-type: application/proto\r\ncontent-length: 0";
    const closed = Promise.withResolvers<string>();
    const url = await startRaw((socket) => {
      socket.once("end", () => closed.resolve("by the client"));
      socket.once("data", () => {
        socket.write(`HTTP/1.1 200 OK\r\n${length}\r\nkeep-alive: timeout=2\r\n\r\n`);
        setTimeout(() => closed.resolve("by the service"), 2_000);
      });
    });
    await clientOf(url).listNodes({});
    expect(await closed.promise).toBe("by the client");
  });

  it("is refused where its answer does not end, whatever that says of its length", async () => {
    let poured = 0;
    const endless = await startRaw((socket) =>
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\n\r\n");
        const pour = () => {
          do poured += 65_536;
          while (socket.writable && socket.write(Buffer.alloc(65_536)));
        };
        socket.on("drain", pour);
        pour();
      }),
    );
    expect(await failure(clientOf(endless).listNodes({}))).toMatchObject({ code: Code.ResourceExhausted });
    // The limit, and what the system's buffers hold beside it.
    expect(poured).toBeLessThan(50_000_000);
  });

  it("says what it met where no such service answers", async () => {
    const page = "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\nsick";
    const proxy = await startRaw((socket) => socket.once("data", () => socket.write(page)));
    expect(await failure(clientOf(proxy).listNodes({}))).toMatchObject({
      code: Code.Unavailable,
      rawMessage: "HTTP 502",
    });
  });
});

describe("a request over HTTP/1.1", () => {
  it("is refused by its token before its body has come", async () => {
    const { url } = await start({ getJob: () => ({}) });
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    running.push({ stop: async () => void socket.destroy() });
    const path = "/trainyard.scheduler.v1.SchedulerService/GetJob";
    const headers = "host: x\r\ncontent-type: application/proto\r\ncontent-length: 3000000";
    socket.write(`POST ${path} HTTP/1.1\r\n${headers}\r\n\r\n`);
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString("latin1")).toMatch(/^HTTP\/1\.1 401 /);
  });
});
