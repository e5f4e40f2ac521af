import type { StreamName } from "./rank-stream.ts";

/** How often a file is looked at for more. */
export const TAIL_INTERVAL_MS = 50;
/**
 * What a rank records or prints is shipped at most so often, unless there is more than a message holds: a message costs the bus,
 * tracking and its database about the same with one point as with a hundred, and their processors are the ranks' too. No less
 * often, since a live tail shall show a point within 100 ms, of which the way behind the agent takes a part.
 */
const SHIP_INTERVAL_MS = 60;

/** Until the next moment to ship: the same for all ranks of a node, so that what they send is stored together. */
export function untilShipping(): number {
  return SHIP_INTERVAL_MS - (performance.now() % SHIP_INTERVAL_MS);
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

/** What a pump asks of its attempt. */
export interface PumpSource {
  /** Whether nothing more will be written: every process of the attempt is dead. */
  readonly ended: () => boolean;
  readonly signal: AbortSignal;
}
