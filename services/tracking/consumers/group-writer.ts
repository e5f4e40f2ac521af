import { setTimeout as delay } from "node:timers/promises";
import { done, type HandlerResult, retry } from "@trainyard/bus";
import { crashPoint } from "@trainyard/failpoint";
import type { Deps } from "../deps.ts";
import { type StoreOutcome, storeTelemetry, type TelemetryItem } from "../operations/store-telemetry.ts";

/** Messages stored in one transaction, and points and bytes at which one is full. */
const MAX_GROUP = 256;
const MAX_GROUP_WEIGHT = 4 * 1024 * 1024;

/**
 * So long a batch waits for others. The ranks of a node ship at the same moments, and a transaction costs about the same for one
 * batch as for a hundred; where the platform shares its machine with ranks, they pay for it.
 */
const GATHER_MS = 10;
/** So long when nobody follows any of the runs. Whoever reads one here meanwhile has what arrived of it stored first. */
const UNWATCHED_GATHER_MS = 500;

const RETRY_MS = 1_000;
const OUTAGE_PAUSE_MS = 500;
/** A batch far ahead of what is stored waits for the batches before it. */
const GAP_RETRY_MS = 2_000;

interface Waiting {
  readonly item: TelemetryItem;
  readonly settle: (result: HandlerResult) => void;
  readonly settled: Promise<HandlerResult>;
}

/** Stores batches together: each caller waits until its own is committed. */
export interface GroupWriter {
  /** Resolves when the batch is stored, or shall come again. */
  store(item: TelemetryItem): Promise<HandlerResult>;
  /**
   * Has everything of the run that waits here stored without further waiting; resolves when it is, or has failed to be.
   * Undefined when nothing waits.
   */
  settle(runId: string): Promise<unknown> | undefined;
  /** From now on nothing is retried here: what is not stored comes again later. */
  stop(): void;
}

/**
 * Group commit: batches that arrive together, or while one transaction is under way, go into the next one together, so a
 * busy stream costs one journal flush for hundreds of batches.
 */
export function createGroupWriter(deps: Deps): GroupWriter {
  const queue: Waiting[] = [];
  let writing = false;
  let stopped = false;
  let weight = 0;
  /** Taken from the queue and not stored yet. */
  let underWay: readonly Waiting[] = [];
  let hurry = () => {};

  async function writeAll(): Promise<void> {
    writing = true;
    try {
      while (queue.length > 0) {
        await gather();
        underWay = takeGroup(queue);
        weight -= weightOf(underWay);
        await write(underWay);
      }
    } finally {
      underWay = [];
      writing = false;
    }
  }

  const isWatched = () => queue.some(({ item }) => deps.signals.isFollowed(item.source.runId));
  const isFull = () => queue.length >= MAX_GROUP || weight >= MAX_GROUP_WEIGHT;

  async function gather(): Promise<void> {
    if (isFull() || stopped) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, isWatched() ? GATHER_MS : UNWATCHED_GATHER_MS);
      hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async function write(group: readonly Waiting[]): Promise<void> {
    try {
      const outcomes = await storeTelemetry(
        deps,
        group.map(({ item }) => item),
      );
      crashPoint(
        group.some(({ item }) => item.kind === "metrics")
          ? "tracking.metrics.stored"
          : "tracking.logs.stored",
      );
      for (const runId of new Set(group.map(({ item }) => item.source.runId))) deps.signals.raise(runId);
      for (const [index, { settle }] of group.entries()) settle(resultOf(outcomes[index]));
    } catch (error) {
      await recover(group, error);
    }
  }

  /** Waits out an outage; a group that the database refuses is tried one by one, so that one batch stops no other. */
  async function recover(group: readonly Waiting[], error: unknown): Promise<void> {
    const answers = await deps.store.ping().then(
      () => true,
      () => false,
    );
    if (stopped || (answers && group.length === 1)) {
      deps.logger.warn({ err: error, batches: group.length }, "telemetry could not be stored");
      for (const { settle } of group)
        settle(retry(RETRY_MS, error instanceof Error ? error.message : String(error)));
      return;
    }
    if (!answers) {
      await delay(OUTAGE_PAUSE_MS);
      await write(group);
      return;
    }
    for (const one of group) await write([one]);
  }

  return {
    store(item) {
      const { promise: settled, resolve: settle } = Promise.withResolvers<HandlerResult>();
      queue.push({ item, settle, settled });
      weight += weightOf([{ item }]);
      if (isFull()) hurry();
      // Failures are answered per batch inside; this promise cannot reject.
      if (!writing) void writeAll();
      return settled;
    },
    settle(runId) {
      const awaited = [...underWay, ...queue].filter(({ item }) => item.source.runId === runId);
      if (awaited.length === 0) return undefined;
      hurry();
      return Promise.all(awaited.map(({ settled }) => settled));
    },
    stop() {
      stopped = true;
      hurry();
    },
  };
}

function takeGroup(queue: Waiting[]): Waiting[] {
  let count = 0;
  let weight = 0;
  for (const one of queue) {
    weight += weightOf([one]);
    if (count > 0 && (count >= MAX_GROUP || weight > MAX_GROUP_WEIGHT)) break;
    count += 1;
  }
  return queue.splice(0, count);
}

/** About the bytes that batches take in the database at most. */
function weightOf(batches: readonly { readonly item: TelemetryItem }[]): number {
  return batches.reduce(
    (sum, { item }) =>
      sum + (item.kind === "metrics" ? item.batch.offsets.length * 30 : item.batch.data.byteLength),
    0,
  );
}

function resultOf(outcome: StoreOutcome | undefined): HandlerResult {
  return outcome === "stored" ? done : retry(GAP_RETRY_MS, "too many gaps before it (MAX_RANGES)");
}
