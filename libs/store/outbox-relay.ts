import { type Bus, declareStream, eventStreamSpec } from "@trainyard/bus";
import { eventStreamName } from "@trainyard/contracts";
import type { Logger } from "@trainyard/telemetry";
import { createEventPublisher } from "./event-publisher.ts";
import {
  markPublished,
  type PublishedAs,
  republishFrom,
  republishLost,
  unpublishedGroups,
} from "./outbox-rows.ts";
import type { StorePart } from "./part.ts";
import type { OutboxRow } from "./schema.ts";
import type { Store } from "./store.ts";
import { pause, unlessAborted } from "./waiting.ts";

/** Whose events go where. */
export interface OutboxRelayOptions {
  readonly store: Store;
  readonly bus: Bus;
  /** The service whose events this database's outbox holds. */
  readonly service: string;
  readonly logger: Logger;
}

/** Rows read at once. */
const BATCH = 256;
/** Aggregates published at once: the stream syncs each message to disk, so many must be on their way. */
const PIPELINE = 64;
/** Rows of another process, or of one that died after its commit, are found within this. */
const POLL_MS = 1_000;
const STREAM_CHECK_MS = 5_000;
const RETRY_MS = 250;

/**
 * Publishes a service's committed events, at once after a local commit. Several relays of one service do no harm: an
 * event that another has published is recognised and only marked. Rows that the stream lost are published again.
 */
export function outboxRelay(options: OutboxRelayOptions): StorePart {
  const { store, bus, service, logger } = options;
  const stream = eventStreamName(service);
  const publisher = createEventPublisher({ store, bus, service, stream });
  const stopping = new AbortController();
  let loop: Promise<void> | undefined;
  let streamCreated = "";
  let checkedAtMs = Number.NEGATIVE_INFINITY;
  let highestAck = 0;

  /** Compares the stream with what is recorded; a stream that is gone is made again. */
  async function checkStream(): Promise<void> {
    if (performance.now() - checkedAtMs < STREAM_CHECK_MS) return;
    await bus.probe(); // A request made while the connection is down is lost, and noticed only by its time-out.
    await declareStream(bus, eventStreamSpec(service));
    const { created, state } = await bus.jsm.streams.info(stream);
    const lost = await republishLost(store, { created, lastSequence: state.last_seq });
    if (lost > 0) reportLoss(lost);
    streamCreated = created;
    highestAck = state.last_seq;
    checkedAtMs = performance.now();
  }

  function reportLoss(rows: number): void {
    logger.error({ stream, rows }, "the stream lost acknowledged events; they are published again");
    publisher.forget();
  }

  /** Publishes one batch; returns how many rows there were. */
  async function pump(): Promise<number> {
    const startedAt = new Date();
    const groups = await unpublishedGroups(store, BATCH);
    const placed: PublishedAs[] = [];
    let regressedTo: number | undefined;
    const publishGroup = async (group: readonly OutboxRow[]) => {
      for (const row of group) {
        const floor = highestAck;
        const { sequence, fresh } = await publisher.publish(row);
        if (fresh && sequence <= floor) regressedTo = Math.min(regressedTo ?? sequence, sequence);
        highestAck = Math.max(highestAck, sequence);
        placed.push({ row, streamSequence: sequence });
      }
    };
    const failures = await eachOf(groups, PIPELINE, publishGroup);
    await markPublished(store, placed, streamCreated);
    if (regressedTo !== undefined) {
      // A fresh event got a sequence that was acknowledged before: the stream fell back between two checks.
      reportLoss(await republishFrom(store, regressedTo, startedAt));
      checkedAtMs = Number.NEGATIVE_INFINITY;
    }
    if (failures.length > 0) throw failures[0];
    return placed.length;
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await checkStream();
        if ((await pump()) < BATCH) await store.outboxWritten.wait(POLL_MS, stopping.signal);
      } catch (error) {
        logger.warn({ err: error, stream }, "events wait in the outbox: the relay will try again");
        checkedAtMs = Number.NEGATIVE_INFINITY;
        await pause(RETRY_MS, stopping.signal);
      }
    }
  }

  return {
    name: `outbox relay ${service}`,
    async start() {
      loop ??= run();
    },
    async stop(signal) {
      stopping.abort();
      if (loop !== undefined) await unlessAborted(loop, signal);
    },
  };
}

/** Runs `fn` for each item, so many at once; a failure stops no other item. Returns the failures. */
async function eachOf<T>(
  items: readonly T[],
  atOnce: number,
  fn: (item: T) => Promise<void>,
): Promise<unknown[]> {
  const failures: unknown[] = [];
  const rest = items.values();
  const worker = async () => {
    for (const item of rest) await fn(item).catch((error: unknown) => failures.push(error));
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  return failures;
}
