/** One value of a metric's history. */
export interface Point {
  readonly step: number;
  readonly timestamp: number;
  readonly value: number;
}

/**
 * So many points of a run, by step, as MLflow's server chooses them: the first of each of so many parts of nearly equal size,
 * the earlier ones being one larger where they cannot be equal, and the very last in place of the last part's.
 */
export function sampled(points: readonly Point[], wanted: number): readonly Point[] {
  const ordered = points.toSorted(
    (a, b) => a.step - b.step || a.timestamp - b.timestamp || a.value - b.value,
  );
  if (ordered.length <= wanted) return ordered;
  const size = Math.floor(ordered.length / wanted);
  const larger = ordered.length % wanted;
  const first = new Set(
    Array.from({ length: wanted - 1 }, (_, part) => part * size + Math.min(part, larger)),
  );
  return ordered.filter((_, index) => first.has(index) || index === ordered.length - 1);
}
