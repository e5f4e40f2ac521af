import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Delivery, declareStream, done, eventStreamSpec, listDeadLetters, retry } from "./index.ts";
import {
  busOf,
  consumer,
  freshStream,
  killAndRestart,
  read,
  stream,
  subject,
  text,
  until,
  useBusServer,
} from "./test-server.ts";

useBusServer();

describe("consuming", () => {
  it("hands over subject, bytes, id and trace context", async () => {
    const bus = await freshStream();
    const seen: Delivery[] = [];
    await consumer(bus, async (delivery) => {
      seen.push(delivery);
      return done;
    });
    await bus.publish(subject("a"), text("hello"), { msgId: "evt_1", traceparent: "00-1-2-01" });
    await until(() => expect(seen).toHaveLength(1));
    expect(seen[0]).toMatchObject({
      subject: subject("a"),
      msgId: "evt_1",
      traceparent: "00-1-2-01",
      deliveryCount: 1,
    });
    expect(read(seen[0]?.data ?? text(""))).toBe("hello");
  });

  it("delivers again after a retry and after a handler that throws", async () => {
    const bus = await freshStream();
    const counts: number[] = [];
    await consumer(bus, async ({ deliveryCount }) => {
      counts.push(deliveryCount);
      if (deliveryCount === 1) return retry(10, "not yet");
      if (deliveryCount === 2) throw new Error("boom");
      return done;
    });
    await bus.publish(subject("a"), text("x"), { msgId: "1" });
    await until(() => expect(counts).toEqual([1, 2, 3]));
    expect(await listDeadLetters(bus)).toEqual([]);
  });

  it("goes on after the server was killed", async () => {
    const bus = await freshStream();
    const seen: string[] = [];
    await consumer(bus, async ({ data }) => {
      seen.push(read(data));
      return done;
    });
    await bus.publish(subject("a"), text("before"), { msgId: "1" });
    await until(() => expect(seen).toEqual(["before"]));
    await killAndRestart();
    await until(() => bus.publish(subject("a"), text("after"), { msgId: "2" }));
    // The acknowledgement of the first may have died with the server: it may come again, and is not lost.
    await until(() => expect(new Set(seen)).toEqual(new Set(["before", "after"])));
  });

  it("lets a running handler finish when it is stopped, and delivers the rest later", async () => {
    const bus = await freshStream();
    const { promise: started, resolve: start } = Promise.withResolvers<void>();
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const first: number[] = [];
    const consuming = await consumer(
      bus,
      async ({ seq }) => {
        start();
        await gate;
        first.push(seq);
        return done;
      },
      { concurrency: 1 },
    );
    await bus.publish(subject("a"), text("1"), { msgId: "1" });
    await started;
    // Now, so that a consumer which asks for more than it can handle has the next one in hand when it is stopped.
    for (const id of ["2", "3"]) await bus.publish(subject("a"), text(id), { msgId: id });
    const stopped = consuming.stop();
    open();
    await stopped;
    expect(first).toEqual([1]);
    const rest = new Set<number>();
    await consumer(bus, async ({ seq }) => {
      rest.add(seq);
      return done;
    });
    await until(() => expect([...rest].sort()).toEqual([2, 3]));
  });

  it("waits for a stream that does not exist yet", async () => {
    const bus = await freshStream();
    await bus.jsm.streams.delete(stream);
    const seen: number[] = [];
    await consumer(bus, async ({ seq }) => {
      seen.push(seq);
      return done;
    });
    await declareStream(bus, eventStreamSpec("scheduler"));
    await bus.publish(subject("a"), text("x"), { msgId: "1" });
    await until(() => expect(seen).toEqual([1]));
  });

  it("takes over a consumer that was declared with other settings", async () => {
    const bus = await freshStream();
    const old = await consumer(bus, async () => done, { maxDeliver: 3 });
    await until(async () =>
      expect((await bus.jsm.consumers.info(stream, "tracking-jobs")).config.max_deliver).toBe(3),
    );
    await old.stop();
    await consumer(bus, async () => done, { maxDeliver: 7, filters: ["trainyard.*.scheduler.job.>"] });
    await until(async () =>
      expect((await bus.jsm.consumers.info(stream, "tracking-jobs")).config.max_deliver).toBe(7),
    );
  });

  it("does not deliver again what had to wait for a slow handler", async () => {
    const bus = await freshStream();
    const seen: string[] = [];
    await consumer(
      bus,
      async ({ seq, deliveryCount }) => {
        seen.push(`${seq}/${deliveryCount}`);
        await delay(900);
        return done;
      },
      { concurrency: 1, ackWaitMs: 300 },
    );
    for (const id of ["1", "2", "3"]) await bus.publish(subject("a"), text(id), { msgId: id });
    await until(async () => {
      const { num_pending, num_ack_pending } = await bus.jsm.consumers.info(stream, "tracking-jobs");
      expect([num_pending, num_ack_pending]).toEqual([0, 0]);
    });
    expect(seen).toEqual(["1/1", "2/1", "3/1"]);
  });

  it("runs no more handlers at once than it was told", async () => {
    const bus = await freshStream();
    let running = 0;
    let most = 0;
    let handled = 0;
    await consumer(
      bus,
      async () => {
        most = Math.max(most, ++running);
        await delay(5);
        running -= 1;
        handled += 1;
        return done;
      },
      { concurrency: 3 },
    );
    for (let id = 0; id < 30; id++) await bus.publish(subject("a"), text("x"), { msgId: String(id) });
    await until(() => expect(handled).toBe(30));
    expect(most).toBe(3);
  });

  it("stops at its deadline though a handler hangs, whose message comes again", async () => {
    const bus = await freshStream();
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const { promise: started, resolve: start } = Promise.withResolvers<void>();
    const hanging = await busOf("test");
    const consuming = await consumer(
      hanging,
      async () => {
        start();
        await gate;
        return done;
      },
      { ackWaitMs: 300 },
    );
    onTestFinished(() => open());
    await bus.publish(subject("a"), text("x"), { msgId: "1" });
    await started;
    await consuming.stop(AbortSignal.timeout(50));
    await hanging.nc.close();
    const counts: number[] = [];
    await consumer(bus, async ({ deliveryCount }) => {
      counts.push(deliveryCount);
      return done;
    });
    await until(() => expect(counts).toEqual([2]));
  });

  it("goes on trying without a limit when it has none", async () => {
    const bus = await freshStream();
    const counts: number[] = [];
    await consumer(
      bus,
      async ({ deliveryCount }) => {
        counts.push(deliveryCount);
        return deliveryCount < 4 ? retry(5, "not yet") : done;
      },
      { maxDeliver: -1 },
    );
    await bus.publish(subject("a"), text("x"), { msgId: "1" });
    await until(() => expect(counts).toEqual([1, 2, 3, 4]));
    expect(await listDeadLetters(bus)).toEqual([]);
  });
});
