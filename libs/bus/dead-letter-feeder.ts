import type { Logger } from "@trainyard/telemetry";
import type { Bus } from "./bus.ts";
import { type Consuming, consume } from "./consume.ts";
import { buryMessage } from "./dead-letter.ts";
import { declareStream } from "./declare-stream.ts";
import { apiCodes, hasApiCode } from "./errors.ts";
import { done, reject } from "./handler-result.ts";
import { advisoryStreamSpec, deadLetterStreamSpec, streamNames } from "./stream-spec.ts";

/** The server's notice, as far as it is used. */
interface MaxDeliveriesAdvisory {
  readonly stream: string;
  readonly consumer: string;
  readonly stream_seq: number;
  readonly deliveries: number;
}

function parseAdvisory(data: Uint8Array): MaxDeliveriesAdvisory | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(data));
    if (typeof value !== "object" || value === null) return undefined;
    const { stream, consumer, stream_seq, deliveries } = { ...value } as Record<string, unknown>;
    return typeof stream === "string" && typeof consumer === "string" && typeof stream_seq === "number"
      ? { stream, consumer, stream_seq, deliveries: typeof deliveries === "number" ? deliveries : 0 }
      : undefined;
  } catch {
    return undefined;
  }
}

/** The message that the notice is about; undefined when it, or its whole stream, is gone. */
async function storedMessage(bus: Bus, { stream, stream_seq }: MaxDeliveriesAdvisory) {
  try {
    return (await bus.jsm.streams.getMessage(stream, { seq: stream_seq })) ?? undefined;
  } catch (error) {
    if (hasApiCode(error, apiCodes.streamNotFound)) return undefined;
    throw error;
  }
}

/**
 * Buries what was delivered too often without ever being answered: a handler that dies each time, or a consumer whose
 * process crashed at it. The server only sends a notice; the message itself is looked up in its stream. One runs per platform.
 */
export function deadLetterFeeder(bus: Bus, logger: Logger): Consuming {
  const consumer = consume(
    bus,
    {
      stream: streamNames.advisories,
      durable: "gateway-dead-letters",
      filters: ["$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>"],
      maxDeliver: -1,
      ackWaitMs: 30_000,
      concurrency: 1,
      logger,
    },
    async ({ data }) => {
      const advisory = parseAdvisory(data);
      if (advisory === undefined) return reject("not a max-deliveries advisory");
      const message = await storedMessage(bus, advisory);
      if (message === undefined) {
        logger.warn(
          { ...advisory },
          "a message delivered too often is gone: no dead letter can be made of it",
        );
        return done;
      }
      const traceparent = message.header?.get("traceparent") ?? "";
      await buryMessage(bus, {
        stream: advisory.stream,
        consumer: advisory.consumer,
        seq: advisory.stream_seq,
        subject: message.subject,
        data: message.data,
        deliveries: advisory.deliveries,
        reason: "delivered too often without an answer: its handler died or hung",
        ...(traceparent === "" ? {} : { traceparent }),
      });
      return done;
    },
  );
  return {
    name: "dead letter feeder",
    async start() {
      await declareStream(bus, deadLetterStreamSpec());
      await declareStream(bus, advisoryStreamSpec());
      await consumer.start();
    },
    stop: (signal) => consumer.stop(signal),
  };
}
