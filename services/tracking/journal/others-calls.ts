import { setTimeout as delay } from "node:timers/promises";
import { type Bus, buryMessage, streamNames } from "@trainyard/bus";
import type { Deps } from "../deps.ts";
import { type CallDocument, decodeCallDocument } from "../store/metric-batch-document.ts";
import type { CallMessage, CallStream, Ends, Look } from "./call-stream.ts";

/** How long a reader leaves it to another replica to write what that has taken, and how often it looks. */
const PATIENCE_MS = 250;
const LOOK_EVERY_MS = 10;
/** Messages read and written at once. */
const PAGE = 128;
/** After a failure the bus is not asked for so long: a read may miss then what another replica took a moment ago. */
const REST_MS = 1_000;

/** What other replicas have acknowledged: those that live are about to write it, and of those that died somebody must. */
export interface OthersCalls {
  /**
   * Resolves when everything of the run, or of all runs, that was in the stream when this was called is in the database.
   * While the bus cannot be asked, at once.
   */
  settled(runId: string | undefined): Promise<void>;
  /** Takes over what has been in the stream since the last time: whoever put it there has not written it. */
  sweep(): Promise<void>;
}

export function createOthersCalls(
  { records, signals, logger }: Pick<Deps, "records" | "signals" | "logger">,
  bus: Bus,
  stream: CallStream,
): OthersCalls {
  let swept: Ends = { first: 0, last: -1 };
  let takingOver: Promise<void> = Promise.resolve();
  let restUntilMs = 0;
  let next: { runId: string | undefined; readonly seen: Promise<Look> } | undefined;

  /** Calls that come in one turn of the loop look together, as those for a chart of many runs do. */
  function look(runId: string | undefined): Promise<Look> {
    if (next === undefined) next = { runId, seen: lookNext() };
    else if (next.runId !== runId) next.runId = undefined;
    return next.seen;
  }

  async function lookNext(): Promise<Look> {
    await new Promise((resolve) => setImmediate(resolve));
    const runId = next?.runId;
    next = undefined;
    return stream.look(runId);
  }

  /** Undefined while the bus cannot be asked. */
  async function asked<T>(ask: () => Promise<T>): Promise<T | undefined> {
    if (performance.now() < restUntilMs) return undefined;
    try {
      return await ask();
    } catch (error) {
      restUntilMs = performance.now() + REST_MS;
      logger.warn({ err: error }, "the bus cannot tell which calls are on their way into the database");
      return undefined;
    }
  }

  /** Writes everything up to this number, whoever put it there. One at a time: the next finds it done. */
  function takeOver(last: number): Promise<void> {
    takingOver = takingOver.catch(() => undefined).then(() => writeUpTo(last));
    return takingOver;
  }

  async function writeUpTo(last: number): Promise<void> {
    for (;;) {
      const { first } = await stream.ends();
      if (first > last) return;
      const page = { first, last: Math.min(first + PAGE - 1, last) };
      const documents = await readable(await stream.read(page));
      if (documents.length > 0) {
        await records.metrics.insertCalls(documents);
        for (const runId of new Set(documents.map((each) => each.runId))) signals.raise(runId);
        logger.info({ calls: documents.length }, "points of calls of another replica were stored");
      }
      await stream.drop(page.last + 1, "everyone's");
    }
  }

  async function readable(messages: readonly CallMessage[]): Promise<CallDocument[]> {
    const documents: CallDocument[] = [];
    for (const { seq, subject, data } of messages) {
      try {
        documents.push(decodeCallDocument(data));
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        const from = { stream: streamNames.metricCalls, consumer: "tracking-calls", seq, subject };
        await buryMessage(bus, { ...from, data, deliveries: 1, reason });
      }
    }
    return documents;
  }

  return {
    async settled(runId) {
      const seen = await asked(() => look(runId));
      if (seen === undefined) return;
      if (runId === undefined ? seen.others.size === 0 : !seen.others.has(runId)) return;
      const deadline = performance.now() + PATIENCE_MS;
      while (performance.now() < deadline) {
        await delay(LOOK_EVERY_MS);
        const ends = await asked(() => stream.ends());
        if (ends === undefined || ends.first > seen.last) return;
      }
      await takeOver(seen.last);
    },
    async sweep() {
      const ends = await stream.ends();
      if (ends.first === swept.first && swept.last >= swept.first) await takeOver(swept.last);
      swept = ends;
    },
  };
}
