import type { Bus } from "./bus.ts";
import { StalePublisherError } from "./errors.ts";
import { streamNames } from "./stream-spec.ts";

const header = {
  stream: "Trainyard-Stream",
  consumer: "Trainyard-Consumer",
  subject: "Trainyard-Subject",
  sequence: "Trainyard-Sequence",
  reason: "Trainyard-Reason",
  deliveries: "Trainyard-Deliveries",
} as const;

/** A message that a consumer could not take, and why. */
export interface Buried {
  readonly stream: string;
  readonly consumer: string;
  /** Sequence in that stream. */
  readonly seq: number;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly deliveries: number;
  readonly reason: string;
  readonly traceparent?: string;
}

/** A dead letter as it is kept. */
export interface DeadLetter extends Buried {
  /** Sequence in the dead-letter stream, as text. */
  readonly id: string;
  readonly at: Date;
}

/** Reasons are header values: one line, bounded. */
const MAX_REASON = 1_000;
const oneLine = (text: string) => text.replaceAll(/[\r\n]+/g, " ").slice(0, MAX_REASON);

/**
 * Copies a message to the dead letters. The same message of the same consumer is stored once, however late the second
 * burial comes: it has a subject of its own, which must be empty. The window of message ids alone is two minutes.
 */
export async function buryMessage(bus: Bus, message: Buried): Promise<void> {
  const { stream, consumer, seq } = message;
  try {
    await bus.publish(`dead-letters.${stream}.${consumer}.${seq}`, message.data, {
      msgId: `${stream}.${consumer}.${seq}`,
      expectedLastSubjectSequence: 0,
      headers: {
        [header.stream]: stream,
        [header.consumer]: consumer,
        [header.subject]: message.subject,
        [header.sequence]: String(seq),
        [header.reason]: oneLine(message.reason),
        [header.deliveries]: String(message.deliveries),
      },
      ...(message.traceparent === undefined ? {} : { traceparent: message.traceparent }),
    });
  } catch (error) {
    if (!(error instanceof StalePublisherError)) throw error;
  }
}

/** One dead letter, or undefined when there is none of that id. */
export async function showDeadLetter(bus: Bus, id: string): Promise<DeadLetter | undefined> {
  if (!/^\d{1,15}$/.test(id)) return undefined;
  const message = await bus.jsm.streams.getMessage(streamNames.deadLetters, { seq: Number(id) });
  if (message === null) return undefined;
  const get = (name: string) => message.header?.get(name) ?? "";
  const traceparent = get("traceparent");
  return {
    id: String(message.seq),
    at: message.time,
    stream: get(header.stream),
    consumer: get(header.consumer),
    subject: get(header.subject),
    seq: Number(get(header.sequence)),
    reason: get(header.reason),
    deliveries: Number(get(header.deliveries)),
    data: message.data,
    ...(traceparent === "" ? {} : { traceparent }),
  };
}

/** The newest dead letters, newest first, at most `limit`. */
export async function listDeadLetters(bus: Bus, limit = 200): Promise<readonly DeadLetter[]> {
  const { state } = await bus.jsm.streams.info(streamNames.deadLetters);
  const found: DeadLetter[] = [];
  for (let seq = state.last_seq; seq >= Math.max(state.first_seq, 1) && found.length < limit; seq--) {
    const letter = await showDeadLetter(bus, String(seq));
    if (letter !== undefined) found.push(letter);
  }
  return found;
}

/**
 * Publishes a dead letter to its subject again and removes it. Every consumer of the subject sees it; those that took it
 * before recognise the event by its id. Dying in between leaves the letter, and a second replay has the same message id.
 */
export async function replayDeadLetter(bus: Bus, id: string): Promise<DeadLetter | undefined> {
  const letter = await showDeadLetter(bus, id);
  if (letter === undefined) return undefined;
  await bus.publish(letter.subject, letter.data, {
    msgId: `replay.${letter.stream}.${letter.consumer}.${letter.seq}.${id}`,
    ...(letter.traceparent === undefined ? {} : { traceparent: letter.traceparent }),
  });
  await bus.jsm.streams.deleteMessage(streamNames.deadLetters, Number(id));
  return letter;
}
