/**
 * Puts outbox rows into the stream, each aggregate in order and each event once.
 *
 * A publish names the sequence at which the aggregate's last event must be, over all of its subjects
 * (`Nats-Expected-Last-Subject-Sequence` with `-Subject` set to the aggregate's filter). A publisher with old knowledge
 * is refused, and then looks: its event is in the stream already (another relay, or this one before it crashed), or
 * only its knowledge was old. The server's own window of message ids is two minutes and checked after the expectation,
 * so it alone would not do.
 */
import { type Bus, StalePublisherError } from "@trainyard/bus";
import { crashPoint } from "@trainyard/failpoint";
import { recordedHead } from "./outbox-rows.ts";
import type { OutboxRow } from "./schema.ts";
import type { Store } from "./store.ts";

/** The outcome of one row's publish. */
export interface Placed {
  readonly sequence: number;
  /** False when the event was found to be in the stream already. */
  readonly fresh: boolean;
}

/** Publishes rows of one service's stream. */
export interface EventPublisher {
  publish(row: OutboxRow): Promise<Placed>;
  /** Forgets where aggregates stand, after the stream was found to have lost messages. */
  forget(): void;
}

/** Aggregates whose place in the stream is remembered; the others' is looked up. */
const REMEMBERED_AGGREGATES = 10_000;
const MAX_TRIES = 5;
const SUBJECT_FILTER_HEADER = "Nats-Expected-Last-Subject-Sequence-Subject";
const MESSAGE_ID_HEADER = "Nats-Msg-Id";

/** A message as the stream gives it back. */
type StoredMessage = NonNullable<Awaited<ReturnType<Bus["jsm"]["streams"]["getMessage"]>>>;

/** A publisher into `stream`, which holds the events of `service`. */
export function createEventPublisher(deps: {
  store: Store;
  bus: Bus;
  service: string;
  stream: string;
}): EventPublisher {
  const { store, bus, service, stream } = deps;
  const heads = new Map<string, number>();

  function remember(aggregate: string, sequence: number): void {
    heads.delete(aggregate);
    heads.set(aggregate, sequence);
    if (heads.size > REMEMBERED_AGGREGATES) {
      const oldest = heads.keys().next();
      if (!oldest.done) heads.delete(oldest.value);
    }
  }

  async function knownHead(row: OutboxRow): Promise<number> {
    const head = heads.get(row.aggregate);
    if (head !== undefined) return head;
    return row.aggregateVersion === 1 && row.order === 0 ? 0 : recordedHead(store, row.aggregate);
  }

  /** Looks for the row's event in the stream, and for the aggregate's last one. */
  async function look(row: OutboxRow): Promise<{ last: number; own: number | undefined }> {
    const last = await bus.jsm.streams.getMessage(stream, { last_by_subj: row.aggregate });
    if (last === null) return { last: 0, own: undefined };
    if (isOf(row, last)) return { last: last.seq, own: last.seq };
    for (let from = 1; from <= last.seq; ) {
      const message = await bus.jsm.direct.getMessage(stream, { seq: from, next_by_subj: row.natsSubject });
      if (message === null) break;
      if (isOf(row, message)) return { last: last.seq, own: message.seq };
      from = message.seq + 1;
    }
    return { last: last.seq, own: undefined };
  }

  return {
    async publish(row) {
      let expected = await knownHead(row);
      for (let tries = 1; ; tries++) {
        try {
          crashPoint(`${service}.outbox.before-publish`);
          crashPoint(`${eventName(row)}.before-publish`);
          const ack = await bus.publish(row.natsSubject, Buffer.from(row.body, "utf8"), {
            msgId: row._id,
            expectedLastSubjectSequence: expected,
            headers: { [SUBJECT_FILTER_HEADER]: row.aggregate },
            ...(row.traceparent === undefined ? {} : { traceparent: row.traceparent }),
          });
          crashPoint(`${service}.outbox.published`);
          crashPoint(`${eventName(row)}.published`);
          remember(row.aggregate, ack.seq);
          return { sequence: ack.seq, fresh: !ack.duplicate };
        } catch (error) {
          if (!(error instanceof StalePublisherError) || tries === MAX_TRIES) throw error;
        }
        const { last, own } = await look(row);
        if (own !== undefined) {
          // Not `last`: the aggregate's next row may be what stands there, and must be looked for too.
          remember(row.aggregate, own);
          return { sequence: own, fresh: false };
        }
        expected = last;
      }
    },
    forget() {
      heads.clear();
    },
  };
}

/** `scheduler.job.ended`: crash points are for any event of a service, and for each kind of event. */
function eventName(row: OutboxRow): string {
  return row.type.split(".").slice(1, -1).join(".");
}

function isOf(row: OutboxRow, message: StoredMessage): boolean {
  return message.header?.get(MESSAGE_ID_HEADER) === row._id;
}
