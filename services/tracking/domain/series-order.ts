import { compareValues } from "./metric-point.ts";
import type { PointColumns } from "./series-buckets.ts";

/** The points by step, then time; the columns as they are when they are in order already, which is the rule. */
export function inOrder(columns: PointColumns): PointColumns {
  const { steps, timesMs, values } = columns;
  if (isOrdered(columns)) return columns;
  const order = Uint32Array.from(steps, (_, index) => index).sort(
    (a, b) =>
      (steps[a] ?? 0) - (steps[b] ?? 0) ||
      (timesMs[a] ?? 0) - (timesMs[b] ?? 0) ||
      compareValues(values[a] ?? 0, values[b] ?? 0),
  );
  const pick = (column: Float64Array) => Float64Array.from(order, (index) => column[index] ?? 0);
  return { steps: pick(steps), timesMs: pick(timesMs), values: pick(values) };
}

function isOrdered({ steps, timesMs, values }: PointColumns): boolean {
  for (let index = 1; index < steps.length; index++) {
    const byStep = (steps[index] ?? 0) - (steps[index - 1] ?? 0);
    if (byStep > 0) continue;
    const byTime = (timesMs[index] ?? 0) - (timesMs[index - 1] ?? 0);
    if (byStep < 0 || byTime < 0) return false;
    if (byTime === 0 && compareValues(values[index - 1] ?? 0, values[index] ?? 0) > 0) return false;
  }
  return true;
}

/** How many of the ordered points are shown, so that none of the last step shown is left out unless that step alone is too many. */
export function cutAtStep({ steps }: PointColumns, limit: number): number {
  if (steps.length <= limit) return steps.length;
  const next = steps[limit];
  let cut = limit;
  while (cut > 0 && steps[cut - 1] === next) cut -= 1;
  return cut;
}
