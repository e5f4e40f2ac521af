import type { Bus } from "@trainyard/bus";

type Consumer = Awaited<ReturnType<Bus["js"]["consumers"]["get"]>>;
type Message = NonNullable<Awaited<ReturnType<Consumer["next"]>>>;

/** Where in a stream to begin. */
export type StreamStart =
  | { readonly kind: "time"; readonly since: Date }
  | { readonly kind: "sequence"; readonly next: number };

/** A place in a stream, kept by the server for as long as it is used. */
export interface StreamReader {
  readonly stream: string;
  readonly name: string;
  /** How many messages there were when it was opened. */
  readonly pending: number;
  /** The messages without a gap, until the signal. Throws when the server does not know the reader any more. */
  messages(signal: AbortSignal): AsyncIterable<Message>;
}

/** One request for messages lasts so long; half of it without a sign of the server counts as lost. */
const FETCH_MS = 4_000;
const BATCH = 256;

/** The server forgets a reader that nobody uses for so long. */
const FORGET_AFTER_NS = 60 * 1_000_000_000;

/** Opens a reader. Throws the JetStream API's error when there is no such stream. */
export async function openReader(
  bus: Bus,
  stream: string,
  filter: string,
  start: StreamStart,
): Promise<StreamReader> {
  const { name, num_pending: pending } = await bus.jsm.consumers.add(stream, {
    ack_policy: "none",
    mem_storage: true,
    inactive_threshold: FORGET_AFTER_NS,
    filter_subject: filter,
    ...(start.kind === "time"
      ? { deliver_policy: "by_start_time", opt_start_time: start.since.toISOString() }
      : { deliver_policy: "by_start_sequence", opt_start_seq: start.next }),
  });
  return { stream, name, pending, messages: (signal) => read(bus, stream, name, signal) };
}

/** Has the server forget the reader now; it would by itself later. */
export async function closeReader(bus: Bus, { stream, name }: StreamReader): Promise<void> {
  await bus.jsm.consumers.delete(stream, name).catch(() => undefined);
}

async function* read(bus: Bus, stream: string, name: string, signal: AbortSignal): AsyncGenerator<Message> {
  const consumer = await bus.js.consumers.get(stream, name);
  let delivered = 0;
  while (!signal.aborted) {
    const batch = await consumer.fetch({ max_messages: BATCH, expires: FETCH_MS });
    const stop = () => batch.stop();
    signal.addEventListener("abort", stop, { once: true });
    try {
      if (signal.aborted) return;
      for await (const message of batch) {
        // Nothing is acknowledged, so what was lost on its way is not sent again: begin anew after the last one seen.
        if (message.info.deliverySequence !== ++delivered)
          throw new Error(`${stream}: messages were lost on their way`);
        yield message;
      }
    } finally {
      signal.removeEventListener("abort", stop);
      batch.stop();
    }
  }
}
