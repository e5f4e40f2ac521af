/**
 * The clock that nodes' silence is measured on. It runs only while the scheduler's own probe of the bus succeeds, and
 * starts again after a failed probe, a reconnect, a pause of this process and a take-over of leadership: silence counts
 * against a node only when a heartbeat, had one been sent, would have arrived. All times are of one monotonic clock.
 */
export interface BusClock {
  /** Since when nothing has disturbed the bus, as far as known; `undefined` before the first good probe. */
  readonly runningSinceMs: number | undefined;
  /** When the last good probe returned. */
  readonly lastProbeMs: number;
}

/** A clock that waits for its first good probe. */
export const stoppedBusClock: BusClock = { runningSinceMs: undefined, lastProbeMs: Number.NEGATIVE_INFINITY };

/** A good probe. After too long a gap since the one before, nothing is known of the time between. */
export function probeSucceeded(clock: BusClock, nowMs: number, maxGapMs: number): BusClock {
  const gapless = clock.runningSinceMs !== undefined && nowMs - clock.lastProbeMs <= maxGapMs;
  return { runningSinceMs: gapless ? clock.runningSinceMs : nowMs, lastProbeMs: nowMs };
}

/**
 * How long a node has been silent; `undefined` when that cannot be told now, because the bus is or was away a moment ago.
 * `heardMs` is when its last heartbeat arrived, if one did.
 */
export function silenceMs(
  clock: BusClock,
  heardMs: number | undefined,
  nowMs: number,
  maxGapMs: number,
): number | undefined {
  if (clock.runningSinceMs === undefined || nowMs - clock.lastProbeMs > maxGapMs) return undefined;
  return nowMs - Math.max(heardMs ?? Number.NEGATIVE_INFINITY, clock.runningSinceMs);
}
