/** How long to wait before trying again. */
export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * The wait before try number `failures` + 1: doubling from the first, at most the maximum, of which a random quarter is
 * taken off so that many that failed together do not come back together. `random` is in [0, 1).
 */
export function backoffMs(backoff: Backoff, failures: number, random: number): number {
  const whole = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(whole * (1 - random / 4));
}
