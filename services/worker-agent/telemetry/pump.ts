import { setTimeout as delay } from "node:timers/promises";
import type { StreamName } from "./rank-stream.ts";

/** How often a rank's file is looked at by who acts on it. */
export const TAIL_INTERVAL_MS = 50;
/**
 * How often it is shipped while somebody follows the run: a live tail shall show a point within 100 ms, of which the way behind
 * the agent takes a part.
 */
const FOLLOWED_INTERVAL_MS = 25;
/**
 * How often it is shipped while nobody follows the run, unless there is more than a message holds: a message costs the bus,
 * tracking and its database about the same with one point as with a hundred, and their processors are the ranks' too.
 */
const SHIP_INTERVAL_MS = 5 * TAIL_INTERVAL_MS;

/**
 * Waits for the next moment to ship: the same for all ranks of a node, so that what they send is stored together. It comes
 * sooner when somebody begins to follow the run, or the rank has ended.
 */
export async function untilShipping({ ended, isFollowed, signal }: PumpSource): Promise<void> {
  const dueMs = multipleAfter(performance.now(), SHIP_INTERVAL_MS);
  do {
    const nowMs = performance.now();
    const nextMs = multipleAfter(nowMs, isFollowed() ? FOLLOWED_INTERVAL_MS : TAIL_INTERVAL_MS);
    await delay(nextMs - nowMs, undefined, { signal });
    if (nextMs >= dueMs) return;
  } while (!ended() && !isFollowed());
}

/** The first multiple of the step that is later. */
function multipleAfter(ms: number, step: number): number {
  return (Math.floor(ms / step) + 1) * step;
}

/** Ships one of a rank's files to the telemetry stream, from where it was stored up to its end. */
export interface Pump {
  readonly rank: number;
  readonly stream: StreamName;
  /** Up to where it has been published. After `run` has resolved: the end of everything there is to ship. */
  readonly position: number;
  /** Ships until the rank has ended and all is published. Rejects only when the signal aborts. */
  run(): Promise<void>;
  /** Ships again from an offset: what was published after it has not arrived. Call it only when `run` has resolved. */
  runAgainFrom(offset: number): Promise<void>;
  close(): Promise<void>;
}

/** What is asked of an attempt by who reads what its ranks write. */
export interface AttemptSource {
  /** Whether nothing more will be written: every process of the attempt is dead. */
  readonly ended: () => boolean;
  readonly signal: AbortSignal;
}

/** The same for a pump. */
export interface PumpSource extends AttemptSource {
  /** Whether somebody wants to see at once what comes. */
  readonly isFollowed: () => boolean;
}
