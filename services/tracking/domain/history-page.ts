import { comparePoints, type MetricPoint } from "./metric-point.ts";

/** Where a page of a history begins: at the points of a metric at a step, behind so many of them. */
export interface HistoryPosition {
  readonly step: number;
  readonly key: string;
  readonly skip: number;
}

/** How much a page may hold. */
export interface PageLimits {
  readonly points: number;
  readonly bytes: number;
  readonly bytesOf: (point: MetricPoint) => number;
}

/** One page, in the order of a history. */
export interface HistoryPage {
  readonly points: readonly MetricPoint[];
  /** Absent when nothing is left. */
  readonly next?: HistoryPosition;
}

/** Order in which a history is cut into pages: every metric at about the same step, so that charts of several are cut straight. */
export function compareByStep(a: MetricPoint, b: MetricPoint): number {
  return a.step - b.step || comparePoints(a, b);
}

/** Whether a page that begins there may hold the point. */
export function isFrom(position: HistoryPosition | undefined, { step, key }: MetricPoint): boolean {
  if (position === undefined || step > position.step) return true;
  return step === position.step && key >= position.key;
}

/** The first points from the position on. `points` are all those from there, in any order, or at least the first of them. */
export function firstPage(
  points: readonly MetricPoint[],
  position: HistoryPosition | undefined,
  limits: PageLimits,
): HistoryPage {
  const ordered = points.toSorted(compareByStep);
  const from = Math.min(position?.skip ?? 0, ordered.length);
  let end = from;
  for (let bytes = 0; end < ordered.length && end - from < limits.points; end++) {
    bytes += limits.bytesOf(ordered[end] as MetricPoint); // Below the length.
    if (bytes > limits.bytes && end > from) break;
  }
  const shown = ordered.slice(from, end).sort(comparePoints);
  const last = ordered[end - 1];
  if (end === ordered.length || last === undefined) return { points: shown };
  let first = end - 1;
  while (first > 0 && ordered[first - 1]?.step === last.step && ordered[first - 1]?.key === last.key)
    first -= 1;
  return { points: shown, next: { step: last.step, key: last.key, skip: end - first } };
}
