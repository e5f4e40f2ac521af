import { type Bus, consume, type Delivery, done, type HandlerResult, reject } from "@trainyard/bus";
import { CloudEventError, eventFilter, eventStreamName, peekCloudEvent } from "@trainyard/contracts";
import { crashPoint } from "@trainyard/failpoint";
import { type Logger, withTraceparent } from "@trainyard/telemetry";
import { aggregateFilter } from "./aggregate-filter.ts";
import type { BoundEvent, EventHandler } from "./event-handler.ts";
import { advanceVersion, NoEffect, recordInInbox } from "./inbox.ts";
import type { StorePart } from "./part.ts";
import type { Store } from "./store.ts";

/** One consumer: what it takes from another service's events, and what it does with them. */
export interface EventConsumerOptions {
  readonly store: Store;
  readonly bus: Bus;
  readonly logger: Logger;
  /** `<service>-<purpose>`: names the durable consumer and its inbox rows. Never reuse one for another purpose. */
  readonly name: string;
  /** The service whose events are consumed. */
  readonly from: string;
  readonly handlers: readonly EventHandler[];
  /** Events handled at once. */
  readonly concurrency?: number;
  /** Deliveries before the event goes to the dead letters. */
  readonly maxDeliver?: number;
  /** A delivery without an answer for so long is made again. */
  readonly ackWaitMs?: number;
}

const CONCURRENCY = 16;
/** An event is only buried when its handler fails for hours: an outage of the database is no fault of the event's. */
const MAX_DELIVER = 500;
/** Short, since a running handler extends it: what a killed process had taken comes again this soon. */
const ACK_WAIT_MS = 5_000;

/**
 * Takes each event into effect exactly once: the handler's effect and the event's id commit in one transaction, so a
 * redelivery after a crash, a duplicate, or a replay finds the id and does nothing. A message that is no event of a
 * known type is rejected (a dead letter); a handler that throws is tried again, with growing pauses.
 */
export function eventConsumer(options: EventConsumerOptions): StorePart {
  const { store, bus, logger, name, from } = options;
  const handlers = new Map(options.handlers.map((handler) => [handler.type.type, handler]));

  async function take(handler: EventHandler, bound: BoundEvent): Promise<HandlerResult> {
    const { event } = bound;
    try {
      await store.transaction(`${name} ${event.type}`, async (tx) => {
        await recordInInbox(tx, name, event.id);
        if (handler.mode === "latest-wins") {
          const aggregate = aggregateFilter(event.project, handler.type, event.subject);
          await advanceVersion(tx, name, aggregate, event.aggregateversion);
        }
        const result = await bound.apply(tx);
        if (result !== undefined && result.kind !== "done") throw new RolledBack(result);
      });
    } catch (error) {
      if (error instanceof NoEffect) return done;
      if (error instanceof RolledBack) return error.result;
      throw error;
    }
    crashPoint(`${name}.event.committed`);
    return done;
  }

  async function handle(delivery: Delivery): Promise<HandlerResult> {
    let handler: EventHandler | undefined;
    let bound: BoundEvent;
    try {
      const { type } = peekCloudEvent(delivery.data);
      handler = handlers.get(type);
      if (handler === undefined) return reject(`${name} has no handler for ${type}`);
      bound = handler.bind(delivery.data);
    } catch (error) {
      if (error instanceof CloudEventError) return reject(`undecodable: ${error.message}`);
      throw error;
    }
    const { traceparent } = bound.event;
    const apply = () => take(handler, bound);
    return traceparent === undefined ? apply() : withTraceparent(traceparent, apply);
  }

  return consume(
    bus,
    {
      stream: eventStreamName(from),
      durable: name,
      filters: options.handlers.map(({ type }) => eventFilter(type.service, type.entity, type.event)),
      maxDeliver: options.maxDeliver ?? MAX_DELIVER,
      ackWaitMs: options.ackWaitMs ?? ACK_WAIT_MS,
      concurrency: options.concurrency ?? CONCURRENCY,
      logger,
    },
    handle,
  );
}

/** Carries the handler's answer out of the transaction that it rolls back. */
class RolledBack extends Error {
  readonly result: HandlerResult;

  constructor(result: HandlerResult) {
    super("the handler asked for no effect");
    this.result = result;
  }
}
