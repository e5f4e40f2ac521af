import { create, type MessageShape } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Bus, buryMessage, consume, declareStream, eventStreamSpec, reject } from "@trainyard/bus";
import {
  encodeCloudEvent,
  eventFilter,
  eventSubject,
  eventTypeOf,
  gateway,
  registry,
  scheduler,
  tracking,
} from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { createSigner } from "@trainyard/service";
import { testLogger, waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { busAs, failureOf, nextRequestId, standIn, startGateway, type TestGateway } from "./test-gateway.ts";

type Message =
  | MessageShape<GenMessage<scheduler.JobSubmitted>>
  | scheduler.AttemptEnded
  | registry.ModelVersionCreated;

let one: TestGateway;
let buses: { readonly scheduler: Bus; readonly registry: Bus };

beforeAll(async () => {
  one = await startGateway();
  buses = {
    scheduler: await busAs(one.platform, "scheduler"),
    registry: await busAs(one.platform, "registry"),
  };
  await declareStream(buses.scheduler, eventStreamSpec("scheduler"));
});

interface Told<T extends Message> {
  readonly schema: GenMessage<T>;
  readonly data: T;
  readonly at?: Date;
  readonly project?: string;
  readonly id?: string;
}

/** Publishes an event as its service would; returns its id. */
async function tell<T extends Message>(bus: Bus, told: Told<T>): Promise<string> {
  const { schema, data, at = new Date(), project = "default", id = newId("evt") } = told;
  const type = eventTypeOf(schema);
  const subject = newId("job");
  const bytes = encodeCloudEvent(schema, {
    specversion: "1.0",
    id,
    source: `/trainyard/${type.service}`,
    type: type.type,
    subject,
    time: at.toISOString(),
    datacontenttype: "application/json",
    project,
    actor: "service:test",
    aggregateversion: 1,
    data,
  });
  await bus.publish(eventSubject(project, type, subject), bytes, { msgId: newId("req") });
  return id;
}

const submitted = (more: { at?: Date; project?: string } = {}) =>
  tell(buses.scheduler, {
    schema: scheduler.JobSubmittedSchema,
    data: create(scheduler.JobSubmittedSchema),
    ...more,
  });

const registered = (at: Date) =>
  tell(buses.registry, {
    schema: registry.ModelVersionCreatedSchema,
    data: create(registry.ModelVersionCreatedSchema),
    at,
  });

type TailRequest = Partial<
  Pick<gateway.TailEventsRequest, "service" | "entity" | "event" | "since" | "follow">
>;

/** Tails into a list until stopped. */
function tail(request: TailRequest, token = one.tokens.submitter) {
  const ids: string[] = [];
  const times: string[] = [];
  const stopping = new AbortController();
  const client = one.client(gateway.EventService, token);
  const ended = (async () => {
    for await (const { event } of client.tailEvents(request, { signal: stopping.signal, timeoutMs: 0 })) {
      ids.push(String(event?.id));
      times.push(String(event?.time));
    }
  })();
  ended.catch(() => undefined);
  return { ids, times, ended, stop: () => stopping.abort() };
}

const since = (date: Date) => timestampFromDate(date);

describe("tailing events", () => {
  it("follows those of a service that had never published when the tail began", async () => {
    const tailing = tail({ service: "registry", follow: true });
    // Told of the tail's beginning by an answer that takes as long: the list of dead letters.
    await one.client(gateway.DeadLetterService, one.tokens.admin).listDeadLetters({});
    await declareStream(buses.registry, eventStreamSpec("registry"));
    const id = await registered(new Date());
    await waitFor("the event", () => tailing.ids.includes(id));
    tailing.stop();
  });

  it("since a moment gives what there is, of all services oldest first, and ends", async () => {
    const begin = new Date();
    const at = (ms: number) => new Date(begin.getTime() + ms);
    const wanted = [
      [await registered(at(40)), 40],
      [await submitted({ at: at(10) }), 10],
      [await submitted({ at: at(30) }), 30],
      [await registered(at(50)), 50],
      [await submitted({ at: at(60) }), 60],
    ] as const;
    const tailing = tail({ since: since(begin) });
    await tailing.ended;
    const shown = tailing.ids.filter((id) => wanted.some(([known]) => known === id));
    expect(shown).toEqual([...wanted].sort((a, b) => a[1] - b[1]).map(([id]) => id));
    expect(tailing.times).toEqual([...tailing.times].sort());
  });

  it("since a moment and following gives what there is, then what comes", async () => {
    const begin = new Date();
    const before = await submitted();
    const tailing = tail({ since: since(begin), follow: true, service: "scheduler" });
    await waitFor("the history", () => tailing.ids.includes(before));
    const after = [await submitted(), await submitted()];
    await waitFor("the news", () => after.every((id) => tailing.ids.includes(id)));
    expect(tailing.ids).toEqual([before, ...after]);
    tailing.stop();
  });

  it("without since gives nothing old", async () => {
    await submitted();
    const tailing = tail({});
    await tailing.ended;
    expect(tailing.ids).toEqual([]);
  });

  it("shows only the token's project, and only what the filters let through", async () => {
    const begin = new Date();
    const [own, other] = [await submitted(), await submitted({ project: "other" })];
    const { secret } = await one.newToken({ project: "other" });
    const ids = async (request: TailRequest, token?: string) => {
      const tailing = tail({ since: since(begin), service: "scheduler", ...request }, token);
      await tailing.ended;
      return tailing.ids;
    };
    expect(await ids({})).toEqual([own]);
    expect(await ids({}, secret)).toEqual([other]);
    expect(await ids({ entity: "job", event: "submitted" })).toEqual([own]);
    expect(await ids({ entity: "attempt" })).toEqual([]);
  });

  it("refuses a filter that can match nothing, and names those that can", async () => {
    for (const [request, known] of [
      [{ service: "schedular" }, "scheduler"],
      [{ service: "scheduler", entity: "model" }, "job"],
      [{ event: "submited" }, "submitted"],
      [{ service: "a.>" }, "scheduler"],
    ] as const) {
      const failure = await failureOf(tail(request).ended);
      expect(failure).toMatchObject({ code: "invalid_argument", reason: "EVENT_UNKNOWN" });
      expect(failure.message).toContain(known);
    }
  });

  it("leaves no consumer behind when its client goes away", async () => {
    const count = async () =>
      (await buses.scheduler.jsm.streams.info("EVENTS_SCHEDULER")).state.consumer_count;
    const before = await count();
    const begin = new Date();
    const id = await submitted();
    const tailing = tail({ service: "scheduler", since: since(begin), follow: true });
    await waitFor("the event", () => tailing.ids.includes(id));
    expect(await count()).toBe(before + 1);
    tailing.stop();
    await waitFor("the consumer to go", async () => (await count()) === before);
  });

  it("tells of tokens made and revoked, without their secrets", async () => {
    const begin = new Date();
    const { secret, id } = await one.newToken();
    const admin = one.client(gateway.TokenService, one.tokens.admin);
    await admin.revokeToken({ requestId: nextRequestId(), tokenId: id });
    const client = one.client(gateway.EventService, one.tokens.admin);
    const events = await waitFor("both events", async () => {
      const found: string[] = [];
      for await (const { event } of client.tailEvents({ service: "gateway", since: since(begin) })) {
        if (event?.subject === id) found.push(JSON.stringify(event));
      }
      return found.length === 2 && found;
    });
    expect(events[0]).toContain("trainyard.gateway.token.created.v1");
    expect(events[1]).toContain("trainyard.gateway.token.revoked.v1");
    expect(events.join()).not.toContain(secret.slice(-43));
  });
});

describe("dead letters", () => {
  it("are listed, shown with their payload, and replayed once", async () => {
    const admin = one.client(gateway.DeadLetterService, one.tokens.admin);
    const taken: string[] = [];
    let mended = false;
    const consumer = consume(
      buses.registry,
      {
        stream: "EVENTS_SCHEDULER",
        durable: "registry-test",
        filters: [eventFilter("scheduler", "job", "submitted", "poison")],
        maxDeliver: 2,
        ackWaitMs: 5_000,
        concurrency: 1,
        logger: testLogger("consumer"),
      },
      async ({ subject }) => {
        if (!mended) return reject("the handler cannot take it");
        taken.push(subject);
        return { kind: "done" };
      },
    );
    await consumer.start();
    const id = await submitted({ project: "poison" });
    const letter = await waitFor("the dead letter", async () => {
      const { deadLetters } = await admin.listDeadLetters({});
      return deadLetters.find(({ consumer: name }) => name === "registry-test");
    });
    expect(letter).toMatchObject({
      stream: "EVENTS_SCHEDULER",
      reason: "the handler cannot take it",
      deliveries: 1n,
    });
    expect(letter.payload).toHaveLength(0);
    const shown = await admin.getDeadLetter({ id: letter.id });
    expect(Buffer.from(shown.deadLetter?.payload ?? []).toString()).toContain(id);
    mended = true;
    const request = { requestId: nextRequestId(), id: letter.id };
    const replayed = await admin.replayDeadLetter(request);
    expect(replayed.subject).toBe(letter.subject);
    await waitFor("the handler to take it", () => taken.length === 1);
    expect(await admin.replayDeadLetter(request)).toEqual(replayed);
    const gone = admin.replayDeadLetter({ requestId: nextRequestId(), id: letter.id });
    expect(await failureOf(gone)).toMatchObject({ code: "not_found", reason: "DEAD_LETTER_NOT_FOUND" });
    expect(taken).toEqual([letter.subject]);
    await consumer.stop();
  });

  it("are for admins", async () => {
    const approver = one.client(gateway.DeadLetterService, one.tokens.approver);
    expect(await failureOf(approver.listDeadLetters({}))).toMatchObject({ reason: "ROLE_MISSING" });
    await buryMessage(buses.scheduler, {
      stream: "EVENTS_SCHEDULER",
      consumer: "nobody",
      seq: 1,
      subject: "trainyard.default.scheduler.job.submitted.v1.x",
      data: new Uint8Array(),
      deliveries: 1,
      reason: "for the test",
    });
    expect(await failureOf(approver.getDeadLetter({ id: "1" }))).toMatchObject({ code: "permission_denied" });
  });
});

describe("a rank's token", () => {
  const run = newId("run");
  let token: string;
  const client = () => one.client(tracking.TrackingService, token);

  beforeAll(async () => {
    const signer = await createSigner(one.platform.serviceEnv("scheduler").TRAINYARD_KEY_FILE ?? "");
    token = await signer.sign(
      { name: run, kind: "rank", roles: [], project: "default", run, attempt: 1 },
      60_000,
    );
    await standIn(one.platform, "tracking", tracking.TrackingService, {
      getRun: ({ runId }) => ({ run: { id: runId, experimentId: "exp_1" } }),
    });
  });

  it("reads its own run, by RPC and REST, and no other", async () => {
    expect((await client().getRun({ runId: run })).run?.id).toBe(run);
    const other = await failureOf(client().getRun({ runId: newId("run") }));
    expect(other).toMatchObject({ code: "permission_denied", reason: "RUN_NOT_OWN" });
    const get = (id: string) =>
      fetch(`${one.url}/api/v1/experiments/exp_1/runs/${id}`, {
        headers: { authorization: `Bearer ${token}` },
      });
    expect((await get(run)).status).toBe(200);
    expect((await get(newId("run"))).status).toBe(403);
  });

  it("does nothing else", async () => {
    const jobs = one.client(scheduler.SchedulerService, token);
    for (const call of [
      () => client().listRuns({}),
      () => jobs.submitJob({ requestId: "r" }),
      () => one.client(gateway.TokenService, token).listTokens({}),
      () => tail({}, token).ended,
    ]) {
      expect(await failureOf(call())).toMatchObject({ code: "permission_denied" });
    }
    const headers = { authorization: `Bearer ${token}` };
    const put = await fetch(`${one.url}/api/v1/blobs/${"a".repeat(64)}`, {
      method: "PUT",
      headers,
      body: "x",
    });
    expect(put.status).toBe(403);
  });

  it("is refused once its attempt has ended, told twice or once, and the next attempt's is not", async () => {
    const event = {
      schema: scheduler.AttemptEndedSchema,
      data: create(scheduler.AttemptEndedSchema, { runId: run, attempt: { number: 1 } }),
      id: newId("evt"),
    };
    await tell(buses.scheduler, event);
    await tell(buses.scheduler, event);
    const failure = await waitFor("the refusal", async () => {
      const refused = await failureOf(client().getRun({ runId: run }));
      return refused.code === "none" ? undefined : refused;
    });
    expect(failure).toMatchObject({ code: "unauthenticated", reason: "TOKEN_REVOKED" });
    const signer = await createSigner(one.platform.serviceEnv("scheduler").TRAINYARD_KEY_FILE ?? "");
    token = await signer.sign(
      { name: run, kind: "rank", roles: [], project: "default", run, attempt: 2 },
      60_000,
    );
    expect((await client().getRun({ runId: run })).run?.id).toBe(run);
  });

  it("signed by anyone else, or a service's own token, opens nothing", async () => {
    const forger = await createSigner(one.platform.serviceEnv("tracking").TRAINYARD_KEY_FILE ?? "");
    const forged = await forger.sign({ name: run, kind: "rank", roles: [], run, attempt: 3 }, 60_000);
    for (const bad of [forged, await forger.selfToken()]) {
      const failure = await failureOf(one.client(tracking.TrackingService, bad).getRun({ runId: run }));
      expect(failure).toMatchObject({ code: "unauthenticated", reason: "TOKEN_INVALID" });
    }
  });
});
