import type { Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import type { HandlerResult } from "@trainyard/bus";
import { type CloudEvent, decodeCloudEvent, type EventType, eventTypeOf } from "@trainyard/contracts";
import type { Tx } from "./store.ts";

/**
 * How a handler copes with events that arrive twice or out of order.
 * `latest-wins`: the event carries the aggregate's whole state, so one older than the last taken is ignored.
 * `every-one`: each event counts, and the handler's effect does not depend on their order.
 */
export type EventMode = "latest-wins" | "every-one";

/** A decoded event, ready to take effect. */
export interface BoundEvent {
  readonly event: CloudEvent<unknown>;
  /** Runs the handler inside the transaction. */
  apply(tx: Tx): Promise<undefined | HandlerResult>;
}

/** A handler of one event type, its payload's type closed over. */
export interface EventHandler {
  readonly type: EventType;
  readonly mode: EventMode;
  /** Decodes the message. Throws CloudEventError when it is not an event of this type. */
  bind(bytes: Uint8Array): BoundEvent;
}

/**
 * Declares what a consumer does with one type of event. `handle` runs inside the transaction that also records the
 * event as taken; it may run again (write conflict, lost connection), so it must have no effect outside `tx`. Returning
 * `retry` or `reject`, or throwing, rolls everything back.
 */
export function on<T extends Message>(
  schema: GenMessage<T>,
  options: { readonly mode: EventMode },
  handle: (tx: Tx, event: CloudEvent<T>) => Promise<undefined | HandlerResult> | Promise<void>,
): EventHandler {
  return {
    type: eventTypeOf(schema),
    mode: options.mode,
    bind(bytes) {
      const event = decodeCloudEvent(schema, bytes);
      return { event, apply: async (tx) => (await handle(tx, event)) ?? undefined };
    },
  };
}
