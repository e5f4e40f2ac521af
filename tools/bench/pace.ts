/** A moment in which the loop's turns are counted. */
const MOMENT_MS = 10;
const MOMENTS = 400;
const SLOWED_BELOW = 0.6;

/**
 * Share of 4 s in which this machine is slower than it mostly is: moments of 10 ms in which a loop that only counts comes to less
 * than 60 % of its median. Rented machines have such moments though nothing in them works and no counter of theirs tells; a 99th
 * percentile shows little else. Call it while nothing else runs.
 */
export function measureSlowed(): number {
  const turns: number[] = [];
  while (turns.length < MOMENTS) turns.push(turnsIn(MOMENT_MS));
  return slowedShare(turns);
}

/** Share of the moments whose turns are far below the median; 0 without moments. */
export function slowedShare(turns: readonly number[]): number {
  const median = [...turns].sort((a, b) => a - b)[Math.floor(turns.length / 2)] ?? 0;
  return turns.filter((count) => count < median * SLOWED_BELOW).length / Math.max(turns.length, 1);
}

function turnsIn(ms: number): number {
  const until = performance.now() + ms;
  let count = 0;
  while (performance.now() < until) count += 1;
  return count;
}
