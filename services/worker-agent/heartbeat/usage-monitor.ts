import type { Part } from "@trainyard/service";
import type { Logger } from "@trainyard/telemetry";
import type { GpuFacts } from "../domain/gpu-facts.ts";
import { type RankUsage, type SessionCounters, usageBetween } from "../domain/rank-usage.ts";
import type { AttemptStatus } from "../ranks/attempt-status.ts";
import { SessionWatch } from "../ranks/session-watch.ts";

const INTERVAL_MS = 1_000;

/** A rank as this looks at it: the leader of its session. */
export interface WatchedRank {
  readonly pid: number;
}

/** Knows what each rank of the node uses, by a look each second while there are any. */
export class UsageMonitor implements Part {
  readonly name = "usage";
  readonly #ranks: () => readonly WatchedRank[];
  readonly #logger: Logger;
  readonly #sessions = new SessionWatch();
  #before = new Map<number, SessionCounters>();
  #usage = new Map<number, RankUsage>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(options: {
    readonly ranks: () => readonly WatchedRank[];
    readonly logger: Logger;
  }) {
    this.#ranks = options.ranks;
    this.#logger = options.logger;
  }

  /** What the rank with this process used in the last second; undefined before its second look. */
  of(pid: number): RankUsage | undefined {
    return this.#usage.get(pid);
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => this.#lookOnce(), INTERVAL_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  #lookOnce(): void {
    // On a machine that swaps a look may take longer than the interval.
    this.#looking ??= this.#look()
      .catch((error: unknown) => this.#logger.warn({ err: error }, "the ranks' usage cannot be read"))
      .finally(() => {
        this.#looking = undefined;
      });
  }

  async #look(): Promise<void> {
    const pids = new Set(this.#ranks().map(({ pid }) => pid));
    const now = pids.size === 0 ? new Map<number, SessionCounters>() : await this.#sessions.look(pids);
    const usage = new Map<number, RankUsage>();
    for (const [pid, counters] of now) {
      const before = this.#before.get(pid);
      const used = before === undefined ? undefined : usageBetween(before, counters);
      if (used !== undefined) usage.set(pid, used);
    }
    this.#before = now;
    this.#usage = usage;
  }
}

/** The ranks that run, by their processes. */
export function liveRanks(attempts: readonly AttemptStatus[]): WatchedRank[] {
  return attempts.flatMap(({ ranks }) => ranks.filter(({ pid, exit }) => pid > 0 && exit === undefined));
}

/** What a rank uses, with its share of the GPUs it was given: a slot of a GPU node is the GPU of that index. */
export function rankUsage(
  own: RankUsage | undefined,
  slotKind: string,
  slots: readonly number[],
  gpus: { readonly of: (index: number) => GpuFacts | undefined },
): RankUsage | undefined {
  if (own === undefined || slotKind !== "gpu") return own;
  const given = slots.flatMap((slot) => gpus.of(slot) ?? []);
  const busy = given.flatMap(({ utilizationPercent }) => utilizationPercent ?? []);
  const memory = given.flatMap(({ memoryUsedBytes }) => memoryUsedBytes ?? []);
  const sum = (figures: readonly number[]) => figures.reduce((all, one) => all + one, 0);
  return {
    ...own,
    ...(busy.length === 0 ? {} : { gpuPercent: sum(busy) / busy.length }),
    ...(memory.length === 0 ? {} : { gpuMemoryBytes: sum(memory) }),
  };
}
