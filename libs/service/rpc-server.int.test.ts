import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { scheduler } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { currentTraceparent, withSpan } from "@trainyard/telemetry";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { fromConnectError } from "./from-connect-error.ts";
import { type Principal, principalOf } from "./principal.ts";
import { rpcClient } from "./rpc-client.ts";
import { startTestServer, type TestKeys, type TestServer, testAccess, testKeys } from "./test-service.ts";

const submitter: Principal = { name: "ada", kind: "user", roles: ["submitter"] };
const viewer: Principal = { name: "vic", kind: "user", roles: ["viewer"] };

const HOUR_MS = 3_600_000;

let keys: TestKeys;
const running: TestServer[] = [];

beforeAll(async () => {
  keys = await testKeys();
  await keys.keyFile("gateway");
  await keys.keyFile("evaluation");
});

afterEach(async () => {
  await Promise.all(running.splice(0).map(({ server }) => server.stop(AbortSignal.timeout(5_000))));
});

afterAll(() => keys.remove());

async function start(...args: Parameters<typeof startTestServer> extends [unknown, ...infer R] ? R : never) {
  const started = await startTestServer(keys, ...args);
  running.push(started);
  return started;
}

/** A client that calls as this principal, vouched for by the gateway. */
async function clientAs(url: string, principal: Principal) {
  const gateway = await keys.signer("gateway");
  return rpcClient(scheduler.SchedulerService, url, { token: () => gateway.sign(principal, 60_000) });
}

async function failure(call: Promise<unknown>): Promise<DomainError> {
  try {
    await call;
  } catch (error) {
    return fromConnectError(error);
  }
  throw new Error("expected the call to fail");
}

describe("who may call", () => {
  it("tells the handler who is calling", async () => {
    const seen: Principal[] = [];
    const { url } = await start({
      getJob: (_request, context) => {
        seen.push(principalOf(context));
        return {};
      },
    });
    await (await clientAs(url, { ...submitter, project: "vision" })).getJob({});
    const evaluation = await keys.signer("evaluation");
    await rpcClient(scheduler.SchedulerService, url, { signer: evaluation }).getJob({});
    expect(seen).toEqual([
      { ...submitter, project: "vision" },
      { name: "evaluation", kind: "service", roles: [] },
    ]);
  });

  it("refuses a call without a token, with a broken one and with an expired one, each by its reason", async () => {
    const { url } = await start({ getJob: () => ({}) });
    const anonymous = rpcClient(scheduler.SchedulerService, url);
    expect(await failure(anonymous.getJob({}))).toMatchObject({
      code: "unauthenticated",
      reason: "TOKEN_MISSING",
    });
    const broken = rpcClient(scheduler.SchedulerService, url, { token: async () => "not.a.token" });
    expect(await failure(broken.getJob({}))).toMatchObject({
      code: "unauthenticated",
      reason: "TOKEN_INVALID",
    });
    const past = await keys.signer("gateway", () => Date.now() - 120_000);
    const late = rpcClient(scheduler.SchedulerService, url, { token: () => past.sign(submitter, 60_000) });
    expect(await failure(late.getJob({}))).toMatchObject({
      code: "unauthenticated",
      reason: "TOKEN_EXPIRED",
    });
  });

  it("refuses a call whose caller lacks the role, and names the role", async () => {
    const { url } = await start({ submitJob: () => ({}), cancelJob: () => ({}) });
    const refused = await failure((await clientAs(url, viewer)).submitJob({}));
    expect(refused).toMatchObject({ code: "permission_denied", reason: "ROLE_MISSING" });
    expect(refused.message).toContain("role submitter");
    expect(await failure((await clientAs(url, submitter)).cancelJob({}))).toMatchObject({
      reason: "ROLE_MISSING",
    });
    await (await clientAs(url, { ...viewer, roles: ["admin"] })).cancelJob({});
  });

  it("does not believe a service that speaks for a user", async () => {
    const { url } = await start({ getJob: () => ({}) });
    const evaluation = await keys.signer("evaluation");
    const client = rpcClient(scheduler.SchedulerService, url, {
      token: () => evaluation.sign(submitter, 60_000),
    });
    expect(await failure(client.getJob({}))).toMatchObject({ reason: "TOKEN_INVALID" });
  });

  it("lets another way of authenticating be plugged in", async () => {
    const { url } = await start(
      { getJob: (_request, context) => ({ job: { id: principalOf(context).name } }) },
      { authenticate: async (header) => ({ ...viewer, name: header ?? "nobody" }) },
    );
    const { job } = await rpcClient(scheduler.SchedulerService, url, {
      headers: { authorization: "ty_abc" },
    }).getJob({});
    expect(job?.id).toBe("ty_abc");
  });

  it("is refused to be left open: a method without a rule, or a rule without a method, stops the start", async () => {
    const { [`${scheduler.SchedulerService.typeName}/GetJob`]: _, ...lacking } = testAccess;
    await expect(startTestServer(keys, {}, { access: lacking })).rejects.toThrow(
      /without an access rule: .*GetJob/,
    );
    const typo = { ...testAccess, "trainyard.scheduler.v1.SchedulerService/GetJbo": {} };
    await expect(startTestServer(keys, {}, { access: typo })).rejects.toThrow(/not served: .*GetJbo/);
  });
});

describe("what callers see of errors", () => {
  it("a domain error arrives whole, over gRPC and Connect", async () => {
    const thrown = new DomainError(
      "failed_precondition",
      "DATASET_DEPRECATED",
      "Version 1.2.0 is deprecated.",
      {
        violations: [{ field: "spec.dataset.version", description: "use 1.3.0" }],
        metadata: { replacement: "1.3.0" },
        retryAfterMs: 1_500,
      },
    );
    const { url } = await start({
      listNodes: () => {
        throw thrown;
      },
    });
    for (const transport of [
      createGrpcTransport({ baseUrl: url }),
      createConnectTransport({ baseUrl: url, httpVersion: "1.1" }),
      createConnectTransport({ baseUrl: url, httpVersion: "2" }),
    ]) {
      const error = await failure(createClient(scheduler.SchedulerService, transport).listNodes({}));
      expect(error).toMatchObject({
        code: thrown.code,
        reason: thrown.reason,
        message: thrown.message,
        violations: thrown.violations,
        metadata: thrown.metadata,
        retryAfterMs: 1_500,
      });
    }
  });

  it("anything else is hidden behind the trace's id, and logged whole under it", async () => {
    const { url, logs } = await start({
      listNodes: () => {
        throw new TypeError("secret detail");
      },
    });
    const error = await failure(rpcClient(scheduler.SchedulerService, url).listNodes({}));
    expect(error).toMatchObject({ code: "internal", reason: "INTERNAL" });
    const [, traceId] = /^internal error \(trace ([0-9a-f]{32})\)$/.exec(error.message) ?? [];
    const logged = logs.find((line) => line.level === "error");
    expect(logged).toMatchObject({ trace_id: traceId, err: { type: "TypeError", message: "secret detail" } });
    expect(JSON.stringify(logged)).toContain("rpc-server.int.test.ts");
  });

  it("a database that is away is unavailable, with a delay to try again", async () => {
    const { url } = await start({
      listNodes: () => {
        throw Object.assign(new Error("connect ECONNREFUSED"), { name: "MongoServerSelectionError" });
      },
    });
    expect(await failure(rpcClient(scheduler.SchedulerService, url).listNodes({}))).toMatchObject({
      code: "unavailable",
      reason: "DEPENDENCY_UNAVAILABLE",
      retryAfterMs: 1_000,
    });
  });

  it("a stream's failure in the middle arrives after its messages, mapped the same way", async () => {
    const { url } = await start({
      async *watchJob() {
        yield { job: { id: "job_1" } };
        throw new DomainError("not_found", "JOB_GONE", "The job is gone.");
      },
    });
    const seen: (string | undefined)[] = [];
    const error = await failure(
      (async () => {
        for await (const { job } of (await clientAs(url, viewer)).watchJob({})) seen.push(job?.id);
      })(),
    );
    expect(seen).toEqual(["job_1"]);
    expect(error).toMatchObject({ code: "not_found", reason: "JOB_GONE" });
  });

  it("a service that is not there is unavailable", async () => {
    const error = await failure(rpcClient(scheduler.SchedulerService, "http://127.0.0.1:1").listNodes({}));
    expect(error).toMatchObject({ code: "unavailable", reason: "UNAVAILABLE" });
  });

  it("a call that takes too long ends at its deadline", async () => {
    const { url } = await start({
      listNodes: async (_request, context) => {
        await sleep(HOUR_MS, undefined, { signal: context.signal });
        return {};
      },
    });
    const client = rpcClient(scheduler.SchedulerService, url, { timeoutMs: 100 });
    expect(await failure(client.listNodes({}))).toMatchObject({ code: "deadline_exceeded" });
  });
});

describe("the trace", () => {
  it("goes from the caller through the call into the handler, also while a stream runs", async () => {
    const inside: (string | undefined)[] = [];
    const { url } = await start({
      listNodes: () => {
        inside.push(currentTraceparent());
        return {};
      },
      async *watchJob() {
        await sleep(1);
        inside.push(currentTraceparent());
        yield {};
      },
    });
    const client = await clientAs(url, viewer);
    const traceId = await withSpan("test", "caller", {}, async (span) => {
      await client.listNodes({});
      for await (const _ of client.watchJob({}));
      return span.spanContext().traceId;
    });
    expect(inside.map((traceparent) => traceparent?.split("-")[1])).toEqual([traceId, traceId]);
    expect(new Set(inside).size).toBe(2);
  });
});

describe("limits", () => {
  it("a message over the limit is refused by the client, which stays usable", async () => {
    const { url } = await start({ listNodes: () => ({}) });
    const client = rpcClient(scheduler.SchedulerService, url);
    const tooBig = create(scheduler.ListNodesRequestSchema);
    tooBig.$unknown = [{ no: 1000, wireType: 2, data: new Uint8Array(5 * 1024 * 1024) }];
    expect(await failure(client.listNodes(tooBig))).toMatchObject({ code: "resource_exhausted" });
    await client.listNodes({});
  });

  it("ends streams and refuses calls when it stops, without waiting for the grace to end", async () => {
    const entered = Promise.withResolvers<void>();
    // Neither the grace nor the handler would come to its end while this test may last.
    const { url, server } = await start(
      {
        async *watchJob(_request, context) {
          yield {};
          entered.resolve();
          await sleep(HOUR_MS, undefined, { signal: context.signal });
        },
      },
      { stopGraceMs: HOUR_MS },
    );
    const client = await clientAs(url, viewer);
    const watching = (async () => {
      for await (const _ of client.watchJob({}, { timeoutMs: 0 }));
    })();
    const ended = failure(watching);
    await entered.promise;
    await server.stop(new AbortController().signal);
    expect(await ended).toMatchObject({ code: "unavailable" });
    await expect((async () => await client.listQueues({}))()).rejects.toThrow(ConnectError);
  });

  it("keeps the protocols' codes in step with ours", () => {
    for (const code of Object.values(Code).filter((value) => typeof value === "number")) {
      expect(fromConnectError(new ConnectError("x", code)).reason).toMatch(/^[A-Z_]+$/);
    }
  });
});
