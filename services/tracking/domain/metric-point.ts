/** One value of one metric, and who logged it. */
export interface MetricPoint {
  readonly key: string;
  /** May be NaN or infinite. */
  readonly value: number;
  readonly step: number;
  /** Wall time in milliseconds since 1970. */
  readonly timeMs: number;
  /** CALL_RANK for a point that came by a call. */
  readonly rank: number;
  /** 0 for a run without a job. */
  readonly attempt: number;
}

/** Order of a history: by key, step, time, then rank and attempt, so that it is the same every time. */
export function comparePoints(a: MetricPoint, b: MetricPoint): number {
  if (a.key !== b.key) return a.key < b.key ? -1 : 1;
  return compareInTime(a, b);
}

/** Order of points of one metric: by step, then time; equal ones by attempt, rank and value, NaN before all. */
export function compareInTime(a: MetricPoint, b: MetricPoint): number {
  return (
    a.step - b.step ||
    a.timeMs - b.timeMs ||
    a.attempt - b.attempt ||
    a.rank - b.rank ||
    compareValues(a.value, b.value)
  );
}

/** Order of values, NaN before all and -0 before 0. */
export function compareValues(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  return (
    Number(!Number.isNaN(a)) - Number(!Number.isNaN(b)) || Number(Object.is(b, -0)) - Number(Object.is(a, -0))
  );
}
