import { extentOf } from "./metric-segment.ts";
import type { PointExtent } from "./point-range.ts";
import type { PointColumns } from "./series-buckets.ts";

/** Points of one series as they are found: whole columns, and single points. */
export class SeriesPieces {
  readonly #columns: PointColumns[] = [];
  readonly #steps: number[] = [];
  readonly #timesMs: number[] = [];
  readonly #values: number[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(step: number, timeMs: number, value: number): void {
    this.#steps.push(step);
    this.#timesMs.push(timeMs);
    this.#values.push(value);
    this.#count += 1;
  }

  addColumns(columns: PointColumns): void {
    this.#columns.push(columns);
    this.#count += columns.values.length;
  }

  /** How many points have a lower step: no other of a lower one follows. */
  settledBelow(step: number): number {
    const below = (steps: ArrayLike<number>) => {
      let count = 0;
      for (let index = 0; index < steps.length; index++) if ((steps[index] ?? 0) < step) count += 1;
      return count;
    };
    return this.#columns.reduce((sum, { steps }) => sum + below(steps), below(this.#steps));
  }

  /** Undefined without points. */
  extent(): PointExtent | undefined {
    return this.#count === 0 ? undefined : extentOf(this.pieces());
  }

  /** Everything, in the order found. */
  pieces(): PointColumns[] {
    const single = {
      steps: Float64Array.from(this.#steps),
      timesMs: Float64Array.from(this.#timesMs),
      values: Float64Array.from(this.#values),
    };
    return [...this.#columns, single];
  }

  /** Everything as columns of their own. */
  joined(): PointColumns {
    const pieces = this.pieces();
    const join = (column: keyof PointColumns) => {
      const joined = new Float64Array(this.#count);
      let at = 0;
      for (const piece of pieces) {
        joined.set(piece[column], at);
        at += piece[column].length;
      }
      return joined;
    };
    return { steps: join("steps"), timesMs: join("timesMs"), values: join("values") };
  }
}
