/**
 * Two nodes whose ranks could not reach each other get no gang together for a while, for longer each time: both may be well
 * and the scheduler may hear both, and still no network lies between them. What a gang on more than two nodes says does
 * not tell which pair it is, so only gangs on two count.
 */
import type { Placement } from "./attempt.ts";
import type { Failure } from "./failure.ts";

/** How long a pair is avoided at first; each further failure doubles it. */
export const FIRST_AVOIDED_MS = 30_000;
/** The longest that a pair is avoided for one failure. */
export const MAX_AVOIDED_MS = 600_000;
/** A row of failures ends when so much time has passed since the pair was last avoided. */
const FORGET_AFTER_MS = 600_000;

/** What one node has against another; kept with the one whose id sorts first. */
export interface SeveredFrom {
  readonly nodeId: string;
  /** Gangs in a row that failed of it. */
  readonly failures: number;
  readonly until: Date;
}

/** Two nodes that get no gang together. */
export interface SeveredPair {
  readonly first: string;
  readonly second: string;
  readonly failures: number;
  readonly untilMs: number;
}

/** The two nodes that could not reach each other by how an attempt ended, the first by id first; else `undefined`. */
export function severedBy(
  failure: Failure | undefined,
  placements: readonly Pick<Placement, "nodeId">[],
): readonly [string, string] | undefined {
  if (failure?.reason !== "PEERS_UNREACHABLE" || placements.length !== 2) return undefined;
  const [first, second] = placements.map(({ nodeId }) => nodeId).sort();
  return first === undefined || second === undefined ? undefined : [first, second];
}

/** What a node has against others after one more failure with `nodeId`. Rows that have ended are dropped. */
export function afterSevered(
  before: readonly SeveredFrom[] | undefined,
  nodeId: string,
  now: Date,
): readonly SeveredFrom[] {
  const known = (before ?? []).filter(({ until }) => now.getTime() - until.getTime() < FORGET_AFTER_MS);
  const failures = (known.find((each) => each.nodeId === nodeId)?.failures ?? 0) + 1;
  const avoidedMs = Math.min(MAX_AVOIDED_MS, FIRST_AVOIDED_MS * 2 ** Math.min(failures - 1, 16));
  const until = new Date(now.getTime() + avoidedMs);
  return [...known.filter((each) => each.nodeId !== nodeId), { nodeId, failures, until }];
}

/** The pairs that are avoided now. */
export function severedPairs(
  nodes: readonly { readonly id: string; readonly severed?: readonly SeveredFrom[] }[],
  now: Date,
): readonly SeveredPair[] {
  return nodes.flatMap(({ id, severed = [] }) =>
    severed
      .filter(({ until }) => now < until)
      .map(({ nodeId, failures, until }) => ({
        first: id,
        second: nodeId,
        failures,
        untilMs: until.getTime(),
      })),
  );
}

/** A pair of which both nodes are among the placements. */
export function severedPairIn(
  placements: readonly Pick<Placement, "nodeId">[],
  pairs: readonly SeveredPair[],
): SeveredPair | undefined {
  if (pairs.length === 0) return undefined;
  const ids = new Set(placements.map(({ nodeId }) => nodeId));
  return pairs.find(({ first, second }) => ids.has(first) && ids.has(second));
}
