/**
 * Which ranks hold up their gang: stragglers, which compute slower than the others, and ranks that wait for data. Both are told
 * by the ranks' own measurements of their steps. In a gang whose gradients are exchanged every rank's steps take equally long,
 * as all wait for the slowest; what tells them apart is how long each computes.
 *
 * A rank counts when it was so at every look for a while, and no more once it is clearly not: a bound lower than the one that
 * made it count lies between, so that a rank at the edge is not told of again and again.
 */
import type { RankReport } from "./attempt.ts";

/** A straggler computes so many times as long as the median of the other ranks, */
const STRAGGLES_FROM = 1.5;
const STRAGGLES_UNTIL = 1.2;
/** and at least so much longer in each step: below that, noise is more than what could be gained. */
const LEAST_DELAY_SECONDS = 0.005;
/** A rank is short of data when it waits for more than this share of its steps. */
const STALLS_FROM = 0.2;
const STALLS_UNTIL = 0.1;
/** Ranks of each kind that are kept and told of. */
export const MAX_SLOW_RANKS = 16;

/** A rank that computes slower than the others, with the figures at which it was found. */
export interface Straggler {
  readonly rank: number;
  readonly nodeId: string;
  readonly computeSeconds: number;
  readonly medianSeconds: number;
  readonly since: Date;
}

/** A rank whose steps wait for data, with the figures at which it was found. */
export interface DataStall {
  readonly rank: number;
  readonly nodeId: string;
  readonly waitSeconds: number;
  readonly stepSeconds: number;
  readonly since: Date;
}

/** What is slow in a gang; both by rank. */
export interface Slowness {
  readonly stragglers: readonly Straggler[];
  readonly dataStalls: readonly DataStall[];
}

/** Since when a rank has been slow, and whether that is long enough to count. */
interface Suspicion<T> {
  readonly sinceMs: number;
  readonly counts: boolean;
  readonly found: T;
}

/** What is remembered of a gang between two looks. */
export interface SlowWatch {
  readonly stragglers: ReadonlyMap<number, Suspicion<Straggler>>;
  readonly dataStalls: ReadonlyMap<number, Suspicion<DataStall>>;
}

export const nothingSlow: SlowWatch = { stragglers: new Map(), dataStalls: new Map() };

/** What a new leader goes on from: what was found counts until it is over. */
export function slowWatchOf(known: Slowness | undefined, nowMs: number): SlowWatch {
  const counted = <T extends { readonly rank: number }>(found: readonly T[] = []) =>
    new Map(found.map((one) => [one.rank, { sinceMs: nowMs, counts: true, found: one }]));
  return { stragglers: counted(known?.stragglers), dataStalls: counted(known?.dataStalls) };
}

/** A look at a gang. */
export interface Look {
  /** The ranks that are told of, with the node of each. */
  readonly ranks: readonly (RankReport & { readonly nodeId: string })[];
  /** By a monotonic clock, and by the wall clock. */
  readonly nowMs: number;
  readonly now: Date;
  /** How long a rank is slow before it counts. */
  readonly afterMs: number;
}

/** What is remembered after another look. */
export function slowWatchAfter(before: SlowWatch, look: Look): SlowWatch {
  const timed = look.ranks.flatMap(({ rank, nodeId, timing, phase }) =>
    timing === undefined || phase !== undefined ? [] : [{ rank, nodeId, timing }],
  );
  const sorted = timed.map(({ timing }) => timing.computeSeconds).sort((a, b) => a - b);
  const stragglers = timed.flatMap(({ rank, nodeId, timing: { computeSeconds } }) => {
    if (sorted.length < 2) return [];
    const medianSeconds = medianWithout(sorted, computeSeconds);
    const bound = before.stragglers.get(rank)?.counts === true ? STRAGGLES_UNTIL : STRAGGLES_FROM;
    const isSlow =
      computeSeconds >= bound * medianSeconds && computeSeconds - medianSeconds >= LEAST_DELAY_SECONDS;
    return isSlow ? [{ rank, nodeId, computeSeconds, medianSeconds, since: look.now }] : [];
  });
  const dataStalls = timed.flatMap(({ rank, nodeId, timing: { seconds, dataSeconds } }) => {
    const bound = before.dataStalls.get(rank)?.counts === true ? STALLS_UNTIL : STALLS_FROM;
    const waits = seconds > 0 && dataSeconds / seconds >= bound;
    return waits ? [{ rank, nodeId, waitSeconds: dataSeconds, stepSeconds: seconds, since: look.now }] : [];
  });
  return {
    stragglers: suspected(before.stragglers, stragglers, look),
    dataStalls: suspected(before.dataStalls, dataStalls, look),
  };
}

/** What counts as slow; undefined when nothing does. */
export function slownessOf({ stragglers, dataStalls }: SlowWatch): Slowness | undefined {
  const slowness = { stragglers: counting(stragglers), dataStalls: counting(dataStalls) };
  return slowness.stragglers.length === 0 && slowness.dataStalls.length === 0 ? undefined : slowness;
}

/** Whether the same ranks are slow, since the same moments: the figures alone are no news. */
export function isSameSlowness(one: Slowness | undefined, other: Slowness | undefined): boolean {
  return JSON.stringify(newsOf(one)) === JSON.stringify(newsOf(other));
}

/** What is slow now and was not before. */
export function newlySlow(before: Slowness | undefined, now: Slowness): Slowness {
  const known = { stragglers: ranksIn(before?.stragglers), dataStalls: ranksIn(before?.dataStalls) };
  return {
    stragglers: now.stragglers.filter(({ rank }) => !known.stragglers.has(rank)),
    dataStalls: now.dataStalls.filter(({ rank }) => !known.dataStalls.has(rank)),
  };
}

function suspected<T extends { readonly rank: number }>(
  before: ReadonlyMap<number, Suspicion<T>>,
  slow: readonly T[],
  { nowMs, afterMs }: Look,
): Map<number, Suspicion<T>> {
  return new Map(
    slow.map((found) => {
      const known = before.get(found.rank);
      if (known === undefined) return [found.rank, { sinceMs: nowMs, counts: afterMs <= 0, found }];
      // The figures are those at which it began to count; the time is that of the first suspicion.
      const counts = known.counts || nowMs - known.sinceMs >= afterMs;
      const since = "since" in known.found ? { since: known.found.since } : {};
      return [found.rank, { ...known, counts, found: known.counts ? known.found : { ...found, ...since } }];
    }),
  );
}

function counting<T extends { readonly rank: number }>(suspicions: ReadonlyMap<number, Suspicion<T>>): T[] {
  return [...suspicions.values()]
    .flatMap(({ counts, found }) => (counts ? [found] : []))
    .sort((a, b) => a.rank - b.rank)
    .slice(0, MAX_SLOW_RANKS);
}

/** The median of ascending figures without one of them. */
function medianWithout(ascending: readonly number[], one: number): number {
  const others = ascending.toSpliced(ascending.indexOf(one), 1);
  const middle = Math.floor(others.length / 2);
  const upper = others[middle] ?? 0;
  return others.length % 2 === 1 ? upper : ((others[middle - 1] ?? 0) + upper) / 2;
}

function newsOf(slowness: Slowness | undefined) {
  const of = (found: readonly { readonly rank: number; readonly since: Date }[] = []) =>
    found.map(({ rank, since }) => [rank, since.getTime()]);
  return [of(slowness?.stragglers), of(slowness?.dataStalls)];
}

function ranksIn(found: readonly { readonly rank: number }[] = []): ReadonlySet<number> {
  return new Set(found.map(({ rank }) => rank));
}
