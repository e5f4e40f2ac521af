import { type Bus, consume, type Delivery, done, type HandlerResult, reject, retry } from "@trainyard/bus";
import { CloudEventError, eventFilter, eventStreamName, peekCloudEvent } from "@trainyard/contracts";
import { crashPoint } from "@trainyard/failpoint";
import { type Logger, withTraceparent } from "@trainyard/telemetry";
import { aggregateFilter } from "./aggregate-filter.ts";
import type { BoundEvent, EventHandler } from "./event-handler.ts";
import { advanceVersion, recordInInbox } from "./inbox.ts";
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
const MAX_DELIVER = 12;
const ACK_WAIT_MS = 30_000;
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 30_000;

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
        if (!(await recordInInbox(tx, name, event.id))) return;
        if (handler.mode === "latest-wins") {
          const aggregate = aggregateFilter(event.project, handler.type, event.subject);
          if (!(await advanceVersion(tx, name, aggregate, event.aggregateversion))) return;
        }
        const result = await bound.apply(tx);
        if (result !== undefined && result.kind !== "done") throw new RolledBack(result);
      });
    } catch (error) {
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
    const { event } = bound;
    try {
      const apply = () => take(handler, bound);
      return await (event.traceparent === undefined ? apply() : withTraceparent(event.traceparent, apply));
    } catch (error) {
      const delayMs = Math.min(FIRST_RETRY_MS * 2 ** (delivery.deliveryCount - 1), LONGEST_RETRY_MS);
      logger.warn(
        { err: error, consumer: name, event: event.id, type: event.type, delayMs },
        "event handler failed",
      );
      return retry(delayMs, error instanceof Error ? error.message : String(error));
    }
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
