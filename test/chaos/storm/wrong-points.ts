import type { Unbroken } from "./jobs.ts";

/** A point as the history has it. */
export interface Told {
  readonly rank: number;
  readonly step: bigint;
  readonly value: number;
}

/** The first few are enough to go after. */
const MOST = 10;

/**
 * What is wrong with a run's points, in words: each step must be there, with the unbroken run's value, and none twice. A rank
 * that is killed between a step and its `log` has never said that point, so one rank's may be missing where another's is there.
 */
export function wrongPoints(
  points: readonly Told[],
  steps: number,
  unbroken: Unbroken | undefined,
): readonly string[] {
  const broken: string[] = [];
  const seen = new Set<string>();
  const told = new Set<number>();
  for (const { rank, step: at, value } of points) {
    const step = Number(at);
    if (seen.has(`${rank} ${step}`)) broken.push(`the point of rank ${rank} at step ${step} is there twice`);
    seen.add(`${rank} ${step}`);
    told.add(step);
    const expected = unbroken?.valueAt(rank, step);
    if (expected !== value)
      broken.push(`rank ${rank} said ${value} at step ${step}, and ${expected} in an unbroken run`);
  }
  const missing = Array.from({ length: steps }, (_, index) => index + 1).filter((step) => !told.has(step));
  if (missing.length > 0) broken.push(`no rank's point of the steps ${missing.join(", ")}`);
  return broken.slice(0, MOST);
}
