import { comparePoints, type MetricPoint } from "./metric-point.ts";

/**
 * Where a page of a history begins: at the points with this place, behind so many of them. The place goes down to the time
 * and the rank, so that a metric with a million points at one step, as MLflow's clients log by default, is read page by page.
 */
export interface HistoryPosition extends HistoryPlace {
  readonly attempt: number;
  readonly rank: number;
  readonly skip: number;
}

/** What a history is ordered by first. */
export interface HistoryPlace {
  readonly step: number;
  readonly key: string;
  readonly timeMs: number;
}

/** Order of places. */
export function comparePlaces(a: HistoryPlace, b: HistoryPlace): number {
  return a.step - b.step || compareTexts(a.key, b.key) || a.timeMs - b.timeMs;
}

const compareTexts = (a: string, b: string) => Number(a > b) - Number(a < b);

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
export function isFrom(position: HistoryPosition | undefined, point: MetricPoint): boolean {
  return position === undefined || compareToPosition(point, position) >= 0;
}

type Placed = Omit<HistoryPosition, "skip">;

function compareToPosition(point: Placed, position: Placed): number {
  return comparePlaces(point, position) || point.attempt - position.attempt || point.rank - position.rank;
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
  while (first > 0 && compareToPosition(ordered[first - 1] ?? last, last) === 0) first -= 1;
  const { step, key, timeMs, attempt, rank } = last;
  return { points: shown, next: { step, key, timeMs, attempt, rank, skip: end - first } };
}
