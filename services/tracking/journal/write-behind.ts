import { setTimeout as delay } from "node:timers/promises";
import { crashPoint } from "@trainyard/failpoint";
import type { Deps } from "../deps.ts";
import { type CallDocument, sizeOf } from "../store/metric-batch-document.ts";

/** So long a call waits for others before it is written. */
const GATHER_MS = 20;
/** Calls and bytes written at once. */
const MAX_GROUP = 256;
const MAX_GROUP_BYTES = 4 * 1024 * 1024;
/** Bytes that wait, at most: while the database is away, the bus has them and this process, too. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
const RETRY_MS = 500;

interface Waiting {
  readonly seq: number;
  readonly document: CallDocument;
  readonly bytes: number;
  readonly written: PromiseWithResolvers<void>;
}

/** Calls that were acknowledged, on their way into the database. */
export interface WriteBehind {
  add(seq: number, document: CallDocument): void;
  isFull(): boolean;
  /** The numbers of what is not written yet. */
  waiting(): number[];
  /** Resolves when everything of the run, or of all runs, that waits now is written, and has that done now; undefined when nothing waits. */
  settled(runId: string | undefined): Promise<unknown> | undefined;
  /** Writes what waits, unless that fails. */
  stop(): Promise<void>;
}

/** `written` is called after each group. */
export function createWriteBehind(
  { records, signals, logger }: Pick<Deps, "records" | "signals" | "logger">,
  written: () => void,
): WriteBehind {
  let queue: Waiting[] = [];
  let underWay: readonly Waiting[] = [];
  let bytes = 0;
  /** Halved by each failure, so that one call which the database refuses stops no other for long. */
  let groupSize = MAX_GROUP;
  let isWriting = false;
  let writing: Promise<void> = Promise.resolve();
  const stopping = new AbortController();
  let hurry = () => {};

  async function writeAll(): Promise<void> {
    isWriting = true;
    while (queue.length > 0) {
      await gather();
      underWay = takeGroup();
      const isWritten = await write(underWay);
      if (!isWritten) queue = [...queue, ...underWay];
      underWay = [];
      groupSize = isWritten ? Math.min(groupSize * 2, MAX_GROUP) : Math.max(Math.floor(groupSize / 2), 1);
      if (isWritten) continue;
      if (stopping.signal.aborted) break;
      await delay(RETRY_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
    isWriting = false;
  }

  async function gather(): Promise<void> {
    if (queue.length >= groupSize || stopping.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, GATHER_MS);
      hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  function takeGroup(): readonly Waiting[] {
    let [count, size] = [0, 0];
    for (const one of queue) {
      size += one.bytes;
      if (count > 0 && (count >= groupSize || size > MAX_GROUP_BYTES)) break;
      count += 1;
    }
    return queue.splice(0, count);
  }

  async function write(group: readonly Waiting[]): Promise<boolean> {
    crashPoint("tracking.calls.acknowledged");
    try {
      await records.metrics.insertCalls(group.map(({ document }) => document));
    } catch (error) {
      logger.warn({ err: error, calls: group.length }, "points of calls could not be stored; trying on");
      return false;
    }
    crashPoint("tracking.calls.written");
    for (const one of group) {
      bytes -= one.bytes;
      one.written.resolve();
    }
    for (const runId of new Set(group.map(({ document }) => document.runId))) signals.raise(runId);
    written();
    return true;
  }

  return {
    add(seq, document) {
      const size = sizeOf(document);
      bytes += size;
      queue.push({ seq, document, bytes: size, written: Promise.withResolvers() });
      if (queue.length >= groupSize) hurry();
      if (!isWriting) writing = writeAll();
    },
    isFull: () => bytes >= MAX_WAITING_BYTES,
    waiting: () => [...underWay, ...queue].map(({ seq }) => seq),
    settled(runId) {
      const awaited = [...underWay, ...queue].filter(
        ({ document }) => runId === undefined || document.runId === runId,
      );
      if (awaited.length === 0) return undefined;
      hurry();
      return Promise.all(awaited.map(({ written: { promise } }) => promise));
    },
    async stop() {
      stopping.abort();
      hurry();
      await writing;
    },
  };
}
