import { setTimeout as delay } from "node:timers/promises";
import { apiCodes, type Bus, hasApiCode } from "@trainyard/bus";
import { type CloudEvent, CloudEventError, eventStreamName, peekCloudEvent } from "@trainyard/contracts";
import type { Step } from "./merge-by-time.ts";

type Consumer = Awaited<ReturnType<Bus["js"]["consumers"]["get"]>>;

/** One event, and the subject it was published to. */
export interface SeenEvent {
  readonly subject: string;
  readonly event: CloudEvent;
}

/** What to read from a service's stream. */
export interface StreamRead {
  readonly service: string;
  readonly filter: string;
  /** Absent: only what is published from now on. */
  readonly since?: Date;
  readonly follow: boolean;
  /** Ends the reading. */
  readonly signal: AbortSignal;
}

/** How often to look for the stream of a service that has never run. */
const LOOK_AGAIN_MS = 500;

/**
 * Reads a service's events in the stream's order by an ordered consumer, which needs no place on the server once it is
 * not used any more and goes on by itself after a lost connection. Without `follow` it ends with what is there now.
 */
export async function* streamEvents(bus: Bus, read: StreamRead): AsyncGenerator<Step<SeenEvent>> {
  const { follow } = read;
  const consumer = await openConsumer(bus, read);
  if (consumer === undefined && follow) yield { kind: "idle" };
  const opened = consumer ?? (follow ? await waitForConsumer(bus, read) : undefined);
  if (opened === undefined) return;
  try {
    yield* readAll(opened, read);
  } finally {
    // It would go by itself after minutes of disuse.
    await opened.delete().catch(() => undefined);
  }
}

async function* readAll(consumer: Consumer, { follow, signal }: StreamRead): AsyncGenerator<Step<SeenEvent>> {
  if ((await consumer.info(true)).num_pending === 0) {
    if (!follow) return;
    yield { kind: "idle" };
  }
  if (signal.aborted) return;
  const messages = await consumer.consume({ max_messages: 256 });
  const stop = () => messages.stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    if (signal.aborted) return;
    for await (const message of messages) {
      const step = stepOf(message.subject, message.data);
      if (step !== undefined) yield step;
      if (message.info.pending > 0) continue;
      if (!follow) return;
      yield { kind: "idle" };
    }
  } finally {
    signal.removeEventListener("abort", stop);
    messages.stop();
  }
}

async function openConsumer(bus: Bus, { service, filter, since }: StreamRead) {
  const from =
    since === undefined
      ? ({ deliver_policy: "new" } as const)
      : ({ deliver_policy: "by_start_time", opt_start_time: since.toISOString() } as const);
  try {
    return await bus.js.consumers.get(eventStreamName(service), { filter_subjects: filter, ...from });
  } catch (error) {
    if (hasApiCode(error, apiCodes.streamNotFound)) return undefined;
    throw error;
  }
}

/** All that a stream holds when it comes to be was published after the reading began. */
async function waitForConsumer(bus: Bus, read: StreamRead) {
  while (!read.signal.aborted) {
    const consumer = await openConsumer(bus, { ...read, since: read.since ?? new Date(0) });
    if (consumer !== undefined) return consumer;
    await delay(LOOK_AGAIN_MS, undefined, { signal: read.signal }).catch(() => undefined);
  }
  return undefined;
}

function stepOf(subject: string, data: Uint8Array): Step<SeenEvent> | undefined {
  try {
    const event = peekCloudEvent(data);
    return { kind: "item", at: Date.parse(event.time), value: { subject, event } };
  } catch (error) {
    // Whatever else somebody put on an event's subject is not for showing; its consumers make it a dead letter.
    if (error instanceof CloudEventError) return undefined;
    throw error;
  }
}
