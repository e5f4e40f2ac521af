import { setTimeout as delay } from "node:timers/promises";
import { apiCodes, type Bus, hasApiCode } from "@trainyard/bus";
import { type CloudEvent, CloudEventError, eventStreamName, peekCloudEvent } from "@trainyard/contracts";
import type { Logger } from "@trainyard/telemetry";
import type { Step } from "./merge-by-time.ts";
import { closeReader, openReader, type StreamReader, type StreamStart } from "./stream-reader.ts";

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
  readonly logger: Logger;
}

/** How soon to try again after the bus was lost, or to look for the stream of a service that has never run. */
const TRY_AGAIN_MS = 500;

/**
 * Reads a service's events in the stream's order, each once. Following, it outlives the bus: it goes on after the last
 * event that it has seen. (The client library's ordered consumer does too, but one that has not seen any event yet goes
 * on with the first of the stream.) Without `follow` it ends with what is there now.
 */
export async function* streamEvents(bus: Bus, read: StreamRead): AsyncGenerator<Step<SeenEvent>> {
  const { follow, signal, logger } = read;
  const stream = eventStreamName(read.service);
  let start: StreamStart | undefined;
  while (!signal.aborted) {
    let reader: StreamReader | undefined;
    try {
      start ??= await firstStart(bus, stream, read.since);
      reader = await openReader(bus, stream, read.filter, start);
      if (reader.pending === 0) {
        if (!follow) return;
        yield { kind: "idle" };
      }
      for await (const message of reader.messages(signal)) {
        start = { kind: "sequence", next: message.seq + 1 };
        const step = stepOf(message.subject, message.data);
        if (step !== undefined) yield step;
        if (message.info.pending > 0) continue;
        if (!follow) return;
        yield { kind: "idle" };
      }
    } catch (error) {
      if (hasApiCode(error, apiCodes.streamNotFound)) start ??= { kind: "sequence", next: 1 };
      else if (!follow) throw error;
      else logger.debug({ err: error, stream }, "tailing starts over");
      if (!follow) return;
      // Nothing is known to be there, so the other streams' events need not wait.
      yield { kind: "idle" };
      await delay(TRY_AGAIN_MS, undefined, { signal }).catch(() => undefined);
    } finally {
      if (reader !== undefined) await closeReader(bus, reader);
    }
  }
}

async function firstStart(bus: Bus, stream: string, since: Date | undefined): Promise<StreamStart> {
  if (since !== undefined) return { kind: "time", since };
  const { state } = await bus.jsm.streams.info(stream);
  return { kind: "sequence", next: state.last_seq + 1 };
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
