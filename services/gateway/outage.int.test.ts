import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { gateway } from "@trainyard/contracts";
import { waitFor } from "@trainyard/testing";
import { beforeAll, expect, it } from "vitest";
import { failureOf, nextRequestId, startGateway, type TestGateway } from "./test-gateway.ts";

let one: TestGateway;

beforeAll(async () => {
  one = await startGateway();
});

it("answers unavailable while the database is away, and goes on when it is back", async () => {
  const admin = one.client(gateway.TokenService, one.tokens.admin);
  await admin.listTokens({});
  await one.servers.mongod.kill("SIGKILL");
  const failure = await waitFor("a refusal", async () => {
    const refused = await failureOf(admin.listTokens({}));
    return refused.code === "none" ? undefined : refused;
  });
  expect(failure).toMatchObject({ code: "unavailable", reason: "DEPENDENCY_UNAVAILABLE" });
  expect((await fetch(`${one.url}/healthz`)).status).toBe(200);
  await one.servers.mongod.restart();
  const { tokens } = await waitFor("an answer", () => admin.listTokens({}));
  expect(tokens).toHaveLength(3);
});

it("goes on tailing when the bus was killed and is back: each event once, and none from before", async () => {
  const old = await one.newToken();
  const admin = one.client(gateway.TokenService, one.tokens.admin);
  await admin.revokeToken({ requestId: nextRequestId(), tokenId: old.id });
  const leaving = new AbortController();
  const client = one.client(gateway.EventService, one.tokens.admin);
  const tail = (request: MessageInitShape<typeof gateway.TailEventsRequestSchema>) => {
    const ids: string[] = [];
    const tailing = (async () => {
      const options = { signal: leaving.signal, timeoutMs: 0 };
      for await (const { event } of client.tailEvents(
        { service: "gateway", follow: true, ...request },
        options,
      )) {
        ids.push(String(event?.subject));
      }
    })();
    tailing.catch(() => undefined);
    return ids;
  };
  await waitFor("the revocation to be published", async () => {
    const request = { service: "gateway", event: "revoked", since: timestampFromDate(new Date(0)) };
    for await (const { event } of client.tailEvents(request)) if (event?.subject === old.id) return true;
    return false;
  });
  const seen = tail({ since: timestampFromDate(new Date()) });
  const fresh = tail({});
  await waitFor("the tail to have begun", async () => {
    await one.newToken();
    return fresh.length > 0;
  });
  // Begun and idle: it has not seen any event when the bus goes.
  const idle = tail({ entity: "token", event: "revoked" });
  const before = await one.newToken();
  await waitFor("the event before", () => seen.includes(before.id) && fresh.includes(before.id));
  await one.servers.nats.kill("SIGKILL");
  const during = await one.newToken();
  const letters = one.client(gateway.DeadLetterService, one.tokens.admin).listDeadLetters({});
  expect(await failureOf(letters)).toMatchObject({ code: "unavailable", reason: "DEPENDENCY_UNAVAILABLE" });
  await one.servers.nats.restart();
  const after = await one.newToken();
  await waitFor("the events after", () => [seen, fresh].every((ids) => ids.includes(after.id)));
  await admin.revokeToken({ requestId: nextRequestId(), tokenId: after.id });
  await waitFor("the revocation", () => idle.includes(after.id));
  expect(idle).toEqual([after.id]);
  for (const ids of [seen, fresh]) {
    const made = ids.filter((id, index) => ids.indexOf(id) === index);
    expect(made.slice(made.indexOf(before.id))).toEqual([before.id, during.id, after.id]);
    expect(ids.filter((id) => id === before.id || id === during.id)).toEqual([before.id, during.id]);
    expect(ids).not.toContain(old.id);
  }
  leaving.abort();
});
