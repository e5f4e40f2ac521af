/** Which points of a series are asked for; all ends are inclusive, and an absent one is open. */
export interface PointRange {
  readonly minStep?: number;
  readonly maxStep?: number;
  readonly minTimeMs?: number;
  readonly maxTimeMs?: number;
}

/** The lowest and highest step and time of some points. */
export interface PointExtent {
  readonly stepLow: number;
  readonly stepHigh: number;
  readonly timeLow: number;
  readonly timeHigh: number;
}

/** Whether a point is in the range. */
export function isInRange(range: PointRange, step: number, timeMs: number): boolean {
  return (
    step >= (range.minStep ?? Number.NEGATIVE_INFINITY) &&
    step <= (range.maxStep ?? Number.POSITIVE_INFINITY) &&
    timeMs >= (range.minTimeMs ?? Number.NEGATIVE_INFINITY) &&
    timeMs <= (range.maxTimeMs ?? Number.POSITIVE_INFINITY)
  );
}

/** Whether every point within the extent is in the range. */
export function coversExtent(
  range: PointRange,
  { stepLow, stepHigh, timeLow, timeHigh }: PointExtent,
): boolean {
  return isInRange(range, stepLow, timeLow) && isInRange(range, stepHigh, timeHigh);
}

/** Whether a point within the extent may be in the range. */
export function touchesExtent(range: PointRange, extent: PointExtent): boolean {
  return (
    extent.stepHigh >= (range.minStep ?? Number.NEGATIVE_INFINITY) &&
    extent.stepLow <= (range.maxStep ?? Number.POSITIVE_INFINITY) &&
    extent.timeHigh >= (range.minTimeMs ?? Number.NEGATIVE_INFINITY) &&
    extent.timeLow <= (range.maxTimeMs ?? Number.POSITIVE_INFINITY)
  );
}
