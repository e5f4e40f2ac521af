import { describe, expect, it, onTestFinished } from "vitest";
import {
  buryMessage,
  deadLetterFeeder,
  done,
  listDeadLetters,
  reject,
  replayDeadLetter,
  retry,
  showDeadLetter,
} from "./index.ts";
import {
  consumer,
  freshStream,
  logger,
  read,
  stream,
  subject,
  text,
  until,
  useBusServer,
} from "./test-server.ts";

useBusServer();

describe("dead letters", () => {
  it("puts a rejected message aside with the reason, to be shown and replayed", async () => {
    const bus = await freshStream();
    let poison = true;
    const taken: string[] = [];
    await consumer(bus, async ({ data }) => {
      if (poison) return reject("cannot\nread it");
      taken.push(read(data));
      return done;
    });
    await bus.publish(subject("a"), text("bad"), { msgId: "1" });
    const [letter] = await until(async () => {
      const letters = await listDeadLetters(bus);
      expect(letters).toHaveLength(1);
      return letters;
    });
    expect(letter).toMatchObject({
      stream,
      consumer: "tracking-jobs",
      subject: subject("a"),
      reason: "cannot read it",
    });
    poison = false;
    await replayDeadLetter(bus, letter?.id ?? "");
    await until(() => expect(taken).toEqual(["bad"]));
    expect(await showDeadLetter(bus, letter?.id ?? "")).toBeUndefined();
  });

  it("puts a message aside once it was delivered too often", async () => {
    const bus = await freshStream();
    await consumer(bus, async () => retry(5, "never works"), { maxDeliver: 3 });
    await bus.publish(subject("a"), text("x"), { msgId: "1" });
    await until(async () =>
      expect(await listDeadLetters(bus)).toMatchObject([{ reason: "never works", deliveries: 3 }]),
    );
  });

  it("puts a message aside whose handler dies each time", async () => {
    const bus = await freshStream();
    const feeder = deadLetterFeeder(bus, logger);
    await feeder.start();
    onTestFinished(() => feeder.stop());
    await bus.jsm.consumers.add(stream, {
      durable_name: "dying",
      ack_policy: "explicit",
      ack_wait: 200_000_000,
      max_deliver: 2,
    });
    await bus.publish(subject("a"), text("deadly"), { msgId: "1" });
    const dying = await bus.js.consumers.get(stream, "dying");
    for (const _ of [1, 2]) await dying.next({ expires: 3_000 });
    await until(async () => {
      // The server notices at the next pull that the last delivery went unanswered.
      await dying.next({ expires: 1_000 });
      expect(await listDeadLetters(bus)).toMatchObject([{ consumer: "dying", subject: subject("a") }]);
    });
  });

  it("are stored once, however late the second burial comes", async () => {
    const bus = await freshStream();
    await bus.jsm.streams.update("DEAD_LETTERS", { duplicate_window: 100_000_000 });
    const message = { stream, consumer: "c", seq: 7, subject: subject("a"), data: text("x"), deliveries: 1 };
    await buryMessage(bus, { ...message, reason: "first" });
    // Past the window once the server takes another message of one id again.
    await until(async () => {
      const { duplicate } = await bus.publish("dead-letters.other.c.1", text("x"), {
        msgId: `${stream}.c.7`,
      });
      expect(duplicate).toBe(false);
    });
    await buryMessage(bus, { ...message, reason: "second" });
    const letters = (await listDeadLetters(bus)).filter(({ seq }) => seq === 7);
    expect(letters).toMatchObject([{ reason: "first" }]);
  });

  it("are not made of a notice about a stream that is gone, and the next notice is taken", async () => {
    const bus = await freshStream();
    const feeder = deadLetterFeeder(bus, logger);
    await feeder.start();
    onTestFinished(() => feeder.stop());
    const { seq } = await bus.publish(subject("a"), text("deadly"), { msgId: "1", traceparent: "00-1-2-01" });
    const notice = (of: string) =>
      text(JSON.stringify({ stream: of, consumer: "c", stream_seq: seq, deliveries: 3 }));
    const notices = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES";
    await bus.publish(`${notices}.GONE.c`, notice("GONE"), { msgId: "gone" });
    await bus.publish(`${notices}.${stream}.c`, notice(stream), { msgId: "there" });
    await until(async () =>
      expect(await listDeadLetters(bus)).toMatchObject([
        { stream, consumer: "c", deliveries: 3, traceparent: "00-1-2-01" },
      ]),
    );
  });
});
