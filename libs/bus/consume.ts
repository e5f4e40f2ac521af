import {
  AckPolicy,
  type ConsumerConfig,
  type ConsumerMessages,
  DeliverPolicy,
  type JsMsg,
  ReplayPolicy,
} from "@nats-io/jetstream";
import type { Logger } from "@trainyard/telemetry";
import type { Bus } from "./bus.ts";
import { buryMessage } from "./dead-letter.ts";
import { matches } from "./declare-stream.ts";
import { apiCodes, hasApiCode } from "./errors.ts";
import type { HandlerResult } from "./handler-result.ts";
import { createRoom, type Room } from "./room.ts";

/** A durable pull consumer as it shall be. */
export interface ConsumerSpec {
  readonly stream: string;
  /** `<service>-<purpose>`. */
  readonly durable: string;
  readonly filters: readonly string[];
  /** Deliveries before the message goes to the dead letters; -1 for no limit. */
  readonly maxDeliver: number;
  /** A delivery without an answer for so long is made again; a running handler keeps extending it. */
  readonly ackWaitMs: number;
  /** Messages handled at once. */
  readonly concurrency: number;
  /** Where consumers share what they handle at once. Each then asks for few until it knows how many are there. */
  readonly room?: Room;
  readonly logger: Logger;
}

/** One delivery of a message. */
export interface Delivery {
  readonly subject: string;
  readonly data: Uint8Array;
  /** Sequence in the stream. */
  readonly seq: number;
  /** 1 for the first delivery. */
  readonly deliveryCount: number;
  readonly redelivered: boolean;
  readonly msgId: string | undefined;
  readonly traceparent: string | undefined;
  header(name: string): string | undefined;
}

/** A running consumer: something with a name that starts and stops. */
export interface Consuming {
  readonly name: string;
  start(): Promise<void>;
  /** Takes no further message and lets running handlers finish until the signal; unfinished ones come again later. */
  stop(signal?: AbortSignal): Promise<void>;
}

const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 30_000;
const RECOVER_MS = 500;
const PULL_EXPIRES_MS = 5_000;
/** Places that a consumer which shares a room keeps while nothing is known to wait for it. */
const IDLE_ASK = 16;

/**
 * Takes messages one by one, `concurrency` at once, until stopped. It asks for no more than it has room for: a message that
 * waited here for its turn would use up its deliveries before a handler saw it. Survives the server's death and a stream that does
 * not exist yet. A handler that throws is a retry with a growing pause; after `maxDeliver` deliveries the message becomes a dead letter.
 */
export function consume(
  bus: Bus,
  spec: ConsumerSpec,
  handler: (delivery: Delivery) => Promise<HandlerResult>,
): Consuming {
  const { logger } = spec;
  const running = new Set<Promise<void>>();
  const room = spec.room ?? createRoom(spec.concurrency);
  const stopping = new AbortController();
  let messages: ConsumerMessages | undefined;
  let loop: Promise<void> | undefined;

  async function take(message: JsMsg): Promise<void> {
    const extend = setInterval(() => message.working(), spec.ackWaitMs / 3);
    try {
      await answer(message, await resultOf(message));
    } catch (error) {
      logger.warn({ err: error, consumer: spec.durable, seq: message.seq }, "delivery could not be answered");
    } finally {
      clearInterval(extend);
    }
  }

  async function resultOf(message: JsMsg): Promise<HandlerResult> {
    try {
      return await handler(deliveryOf(message));
    } catch (error) {
      const delayMs = Math.min(FIRST_RETRY_MS * 2 ** (message.info.deliveryCount - 1), LONGEST_RETRY_MS);
      logger.warn(
        { err: error, consumer: spec.durable, subject: message.subject, delayMs },
        "handler failed",
      );
      return { kind: "retry", delayMs, reason: error instanceof Error ? error.message : String(error) };
    }
  }

  async function answer(message: JsMsg, result: HandlerResult): Promise<void> {
    switch (result.kind) {
      case "done":
        message.ack();
        return;
      case "retry":
        if (spec.maxDeliver > 0 && message.info.deliveryCount >= spec.maxDeliver)
          await bury(message, result.reason);
        else message.nak(result.delayMs);
        return;
      case "reject":
        await bury(message, result.reason);
        return;
    }
  }

  /** The copy is stored before the original is ended: a crash in between buries it again under the same id. */
  async function bury(message: JsMsg, reason: string): Promise<void> {
    logger.error(
      { consumer: spec.durable, subject: message.subject, seq: message.seq, reason },
      "dead letter",
    );
    await buryMessage(bus, {
      stream: spec.stream,
      consumer: spec.durable,
      seq: message.seq,
      subject: message.subject,
      data: message.data,
      deliveries: message.info.deliveryCount,
      reason,
      ...(message.headers?.get("traceparent") ? { traceparent: message.headers.get("traceparent") } : {}),
    });
    message.term(reason.slice(0, 200));
  }

  async function pull(): Promise<void> {
    await declareConsumer(bus, spec);
    const consumer = await bus.js.consumers.get(spec.stream, spec.durable);
    let waiting = 0;
    for (;;) {
      const asked = spec.room === undefined ? spec.concurrency : Math.max(IDLE_ASK, waiting);
      let places = await room.take(asked, stopping.signal);
      waiting = 0;
      try {
        if (stopping.signal.aborted) return;
        messages = await consumer.fetch({ max_messages: places, expires: PULL_EXPIRES_MS });
        if (stopping.signal.aborted) messages.stop();
        for await (const message of messages) {
          waiting = message.info.pending;
          // Only after a reconnect can there be more messages than were asked for.
          if (places === 0) places = await room.take(1, stopping.signal);
          if (begin(message)) places -= 1;
        }
      } finally {
        room.leave(places);
      }
    }
  }

  /** Whether its handler runs now, in a place of the room. */
  function begin(message: JsMsg): boolean {
    if (stopping.signal.aborted) {
      message.nak();
      return false;
    }
    const task: Promise<void> = take(message).finally(() => {
      running.delete(task);
      room.leave(1);
    });
    running.add(task);
    return true;
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await pull();
      } catch (error) {
        if (stopping.signal.aborted) return;
        const level = hasApiCode(error, apiCodes.streamNotFound) ? "debug" : "warn";
        logger[level]({ err: error, consumer: spec.durable, stream: spec.stream }, "consumer starts over");
      }
      if (!stopping.signal.aborted) await pause(RECOVER_MS, stopping.signal);
    }
  }

  return {
    name: `consumer ${spec.durable}`,
    async start() {
      loop ??= run();
    },
    async stop(signal) {
      stopping.abort();
      messages?.stop();
      const finished = (async () => {
        await loop;
        await Promise.all(running);
      })();
      await (signal === undefined ? finished : Promise.race([finished, aborted(signal)]));
    },
  };
}

function deliveryOf(message: JsMsg): Delivery {
  const header = (name: string) => (message.headers?.has(name) ? message.headers.get(name) : undefined);
  return {
    subject: message.subject,
    data: message.data,
    seq: message.seq,
    deliveryCount: message.info.deliveryCount,
    redelivered: message.redelivered,
    msgId: header("Nats-Msg-Id"),
    traceparent: header("traceparent"),
    header,
  };
}

/** Creates the consumer, or updates the one that is there: adding a live one again with other settings is an error. */
async function declareConsumer(bus: Bus, spec: ConsumerSpec): Promise<void> {
  const changeable: Partial<ConsumerConfig> = {
    ack_wait: spec.ackWaitMs * 1_000_000,
    max_deliver: spec.maxDeliver,
    max_ack_pending: Math.max(spec.concurrency * 4, 64),
    ...(spec.filters.length === 1
      ? { filter_subject: spec.filters[0] ?? "" }
      : { filter_subjects: [...spec.filters] }),
  };
  try {
    const { config } = await bus.jsm.consumers.info(spec.stream, spec.durable);
    if (!matches(changeable, config)) await bus.jsm.consumers.update(spec.stream, spec.durable, changeable);
  } catch (error) {
    if (!hasApiCode(error, apiCodes.consumerNotFound)) throw error;
    await bus.jsm.consumers.add(spec.stream, {
      durable_name: spec.durable,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      replay_policy: ReplayPolicy.Instant,
      ...changeable,
    });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
