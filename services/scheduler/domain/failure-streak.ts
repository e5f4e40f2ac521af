import type { Failure } from "./failure.ts";

/** What of an attempt the streak is made from. */
interface Ended {
  readonly failure?: Pick<Failure, "class" | "step">;
}

/**
 * How many attempts in a row, before this failure, failed without the job coming further than ever before; 0 when this one
 * did come further, since whatever ailed the job before, it trained in between. Attempts that gave way are left out: they failed at
 * nothing.
 */
export function failureStreak(before: readonly Ended[], failure: Pick<Failure, "class" | "step">): number {
  let streak = 0;
  let furthest = -1;
  let first = true;
  for (const { class: failureClass, step } of [...before.flatMap((one) => one.failure ?? []), failure]) {
    if (failureClass === "preempted") {
      furthest = Math.max(furthest, step);
      continue;
    }
    streak = first || step > furthest ? 0 : streak + 1;
    first = false;
    furthest = Math.max(furthest, step);
  }
  return streak;
}
