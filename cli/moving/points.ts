import { maxBatchPoints, metricKeyProblem, stepProblem } from "./limits.ts";
import type { Problems } from "./problems.ts";

/** Points as columns of equal length, as they travel. */
export interface PointColumns {
  readonly keys: string[];
  readonly keyIndex: number[];
  readonly steps: bigint[];
  readonly timesMs: number[];
  readonly values: number[];
}

/** Fills columns with points; what the platform does not take is left out and told. */
export class PointBatch {
  readonly columns: PointColumns = { keys: [], keyIndex: [], steps: [], timesMs: [], values: [] };
  readonly #problems: Problems;
  readonly #index = new Map<string, number>();

  constructor(problems: Problems) {
    this.#problems = problems;
  }

  get size(): number {
    return this.columns.values.length;
  }

  get isFull(): boolean {
    return this.size >= maxBatchPoints || this.columns.keys.length >= 4_096;
  }

  /** Gives whether the point was taken. */
  add(key: string, step: bigint, timeMs: number, value: number): boolean {
    const problem = metricKeyProblem(key) ?? stepProblem(step);
    if (problem !== undefined) {
      this.#problems.add(`points of metric ${JSON.stringify(key.slice(0, 80))}`, problem);
      return false;
    }
    this.columns.keyIndex.push(this.#indexOf(key));
    this.columns.steps.push(step);
    this.columns.timesMs.push(timeMs);
    this.columns.values.push(value);
    return true;
  }

  #indexOf(key: string): number {
    const known = this.#index.get(key);
    if (known !== undefined) return known;
    this.#index.set(key, this.columns.keys.length);
    return this.columns.keys.push(key) - 1;
  }
}
