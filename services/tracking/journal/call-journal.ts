import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Bus, declareStream, maxPayloadBytes, metricCallStreamSpec } from "@trainyard/bus";
import type { Part } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { pointsNotStored } from "../domain/errors.ts";
import { journalFloor } from "../domain/journal-floor.ts";
import { type CallDocument, encodeCallDocument } from "../store/metric-batch-document.ts";
import { openCallStream } from "./call-stream.ts";
import { createOthersCalls } from "./others-calls.ts";
import { createWriteBehind } from "./write-behind.ts";

/** Larger calls are written at once: their time goes into their bytes, and these would be written twice. */
const MAX_MESSAGE_BYTES = maxPayloadBytes / 4;
/** After a failure calls are written at once for so long, without waiting for the bus. */
const REST_MS = 5_000;
/** How often what is written is taken out of the stream. */
const DROP_EVERY_MS = 100;
/** How often is looked for what is still in the stream since the last look: any replica takes it over. */
const SWEEP_MS = 2_000;
/** How long a read waits for the database to take what was acknowledged. */
const SETTLE_MS = 10_000;

/**
 * Points of calls that are durable in a stream of the bus, and written into the database behind it (ADR 0024). The bus answers
 * sooner than the database; what was answered is in every read that follows, since readers wait until it is written.
 */
export interface CallJournal {
  /**
   * Resolves when the call is durable on the bus: true. False when it is too large, too much waits, or the bus does not answer:
   * then whoever called writes it. Its id must follow from its content, for it may be written more than once.
   */
  append(document: CallDocument): Promise<boolean>;
  /**
   * Resolves when everything that was acknowledged of the run, or of all runs, is in the database. Throws POINTS_NOT_STORED when
   * the database does not take it.
   */
  settled(runId?: string): Promise<void>;
}

/** The journal of one replica. */
export async function createCallJournal(
  deps: Pick<Deps, "records" | "signals" | "logger">,
  bus: Bus,
): Promise<CallJournal & Part> {
  const stream = await openCallStream(bus, randomUUID());
  const writeBehind = createWriteBehind(deps, dropSoon);
  const others = createOthersCalls(deps, bus, stream);
  const { logger } = deps;
  const stopping = new AbortController();
  /** Sent, and without a number yet. */
  const sent = new Set<{ readonly after: number }>();
  let newest = 0;
  let dropped = 0;
  let isDropDue = false;
  let dropping: Promise<void> = Promise.resolve();
  let sweeping: Promise<void> | undefined;
  let restUntilMs = 0;

  function dropSoon(): void {
    if (isDropDue) return;
    isDropDue = true;
    dropping = delay(DROP_EVERY_MS, undefined, { signal: stopping.signal })
      .catch(() => undefined)
      .then(drop);
  }

  async function drop(): Promise<void> {
    isDropDue = false;
    const floor = journalFloor(
      writeBehind.waiting(),
      [...sent].map(({ after }) => after),
      newest,
    );
    if (floor <= dropped) return;
    try {
      await stream.drop(floor, "mine");
      dropped = floor;
    } catch (error) {
      // What stays is written already: a later drop, or a sweep, removes it.
      logger.warn({ err: error }, "calls that are stored could not be taken out of the stream");
    }
  }

  async function sweep(): Promise<void> {
    const { signal } = stopping;
    while (!signal.aborted) {
      await delay(SWEEP_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await others.sweep().catch((error: unknown) => {
        logger.warn({ err: error }, "calls of other replicas could not be looked after; trying on");
      });
    }
  }

  return {
    name: "call journal",
    async append(document) {
      if (stopping.signal.aborted || writeBehind.isFull() || performance.now() < restUntilMs) return false;
      const data = encodeCallDocument(document);
      if (data.length > MAX_MESSAGE_BYTES) return false;
      const message = { after: newest };
      sent.add(message);
      try {
        const seq = await stream.append(document.runId, data);
        newest = Math.max(newest, seq);
        writeBehind.add(seq, document);
        return true;
      } catch (error) {
        restUntilMs = performance.now() + REST_MS;
        logger.warn({ err: error }, "the bus takes no calls; storing them without it");
        return false;
      } finally {
        sent.delete(message);
      }
    },
    async settled(runId) {
      const own = writeBehind.settled(runId);
      if (own !== undefined) await inTime(own, runId);
      await others.settled(runId);
    },
    async start() {
      await declareStream(bus, metricCallStreamSpec());
      sweeping ??= sweep();
    },
    async stop() {
      await writeBehind.stop();
      stopping.abort();
      await sweeping;
      await dropping;
      await drop();
    },
  };
}

async function inTime(written: Promise<unknown>, runId: string | undefined): Promise<void> {
  const done = new AbortController();
  const late = delay(SETTLE_MS, "late", { signal: done.signal }).catch(() => undefined);
  const first = await Promise.race([written, late]);
  done.abort();
  if (first === "late") throw pointsNotStored(runId);
}
