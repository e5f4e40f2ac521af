import { randomNumbers } from "../../tracking/rank-file.ts";

/** A point that a run has logged. Its value is like no other's of the run, so that a lost one or a double shows. */
export interface LoggedPoint {
  readonly key: string;
  readonly step: number;
  readonly value: number;
}

const KEYS = ["loss", "accuracy", "lr"];

/** Endless points of a run, the same for the same seed: steps that repeat and go back, now and then NaN. */
export function* pointsOf(seed: number): Generator<LoggedPoint, never> {
  const random = randomNumbers(seed);
  for (let index = 0; ; index++) {
    const key = KEYS[index % KEYS.length] ?? "";
    const step = Math.floor(index / KEYS.length) - (random() < 0.1 ? 3 : 0);
    const value = random() < 0.01 ? Number.NaN : index + random() / 2;
    yield { key, step, value };
  }
}

/** The next few. */
export function take(points: Iterator<LoggedPoint, never>, count: number): LoggedPoint[] {
  return Array.from({ length: count }, () => points.next().value);
}
