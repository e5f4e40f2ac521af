import { once } from "node:events";
import { type AddressInfo, createConnection, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  declareStream,
  eventStreamSpec,
  PublishError,
  StalePublisherError,
  StreamDeclarationError,
} from "./index.ts";
import {
  busOf,
  freshStream,
  refusals,
  serverUrl,
  stream,
  subject,
  takeUsers,
  text,
  useBusServer,
} from "./test-server.ts";

useBusServer();

describe("connecting", () => {
  it("begins anew when the server never greets", async () => {
    let connections = 0;
    const forgetful = createServer((socket) => {
      connections += 1;
      if (connections === 1) return;
      const { hostname, port } = serverUrl();
      const there = createConnection({ host: hostname, port: Number(port) });
      socket.pipe(there).pipe(socket);
    }).listen(0, "127.0.0.1");
    onTestFinished(async () => {
      forgetful.close();
    });
    await once(forgetful, "listening");
    const { port } = forgetful.address() as AddressInfo;
    const bus = await busOf("test", `nats://127.0.0.1:${port}`);
    await bus.probe();
    expect(connections).toBe(2);
  });

  it("succeeds while the server takes in other users, ten times a second", async () => {
    const done = new AbortController();
    const reloading = (async () => {
      while (!done.signal.aborted) {
        await takeUsers();
        await delay(100);
      }
    })();
    onTestFinished(async () => {
      done.abort();
      await reloading;
    });
    for (let made = 0; made < 60; made++) {
      const bus = await busOf("tracking");
      await bus.probe();
      await bus.close();
    }
  });
});

describe("a connection", () => {
  it("comes back though the server has not known its user for a while", async () => {
    const bus = await busOf("registry");
    const before = refusals();
    await takeUsers({ without: "registry" });
    await vi.waitFor(() => expect(refusals() - before).toBeGreaterThan(3), { timeout: 30_000 });
    await takeUsers();
    await vi.waitFor(() => bus.probe(), { timeout: 30_000 });
  });
});

describe("publishing", () => {
  it("stores one message for one id", async () => {
    const bus = await freshStream();
    const first = await bus.publish(subject("a"), text("1"), { msgId: "evt_1" });
    const second = await bus.publish(subject("a"), text("1"), { msgId: "evt_1" });
    expect([first.duplicate, second.duplicate, second.seq]).toEqual([false, true, first.seq]);
  });

  it("refuses a publisher whose knowledge is old", async () => {
    const bus = await freshStream();
    const { seq } = await bus.publish(subject("a"), text("1"), {
      msgId: "1",
      expectedLastSubjectSequence: 0,
    });
    await bus.publish(subject("a"), text("2"), { msgId: "2", expectedLastSubjectSequence: seq });
    const stale = bus.publish(subject("a"), text("3"), { msgId: "3", expectedLastSubjectSequence: seq });
    await expect(stale).rejects.toBeInstanceOf(StalePublisherError);
  });

  it("says so when no stream takes the subject", async () => {
    const bus = await freshStream();
    await expect(bus.publish("nobody.listens", text("x"), { msgId: "x" })).rejects.toBeInstanceOf(
      PublishError,
    );
  });

  it("says which stream could not be declared, and keeps the server's answer", async () => {
    const bus = await freshStream();
    const overlapping = { ...eventStreamSpec("scheduler"), name: "ANOTHER" };
    const error: unknown = await declareStream(bus, overlapping).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(StreamDeclarationError);
    expect(error).toMatchObject({ stream: "ANOTHER", cause: { code: 10065 } });
  });

  it("changes a stream that was declared otherwise", async () => {
    const bus = await freshStream();
    await declareStream(bus, { ...eventStreamSpec("scheduler"), maxAgeMs: 3_600_000 });
    const { config } = await bus.jsm.streams.info(stream);
    expect(config.max_age).toBe(3_600_000_000_000);
  });
});
