import type { Clients } from "../client/clients.ts";
import { readPoints } from "../export/read-points.ts";

/** The points that a run has of a metric, each with how often it is there; what is found among them is taken out. */
export class PointsThere {
  readonly #counts = new Map<string, number>();

  static async read(clients: Clients, runId: string, key: string): Promise<PointsThere> {
    const there = new PointsThere();
    for await (const points of readPoints(clients, runId, key))
      for (const { step, timeMs, value } of points) {
        const name = nameOf(step, timeMs, value);
        there.#counts.set(name, (there.#counts.get(name) ?? 0) + 1);
      }
    return there;
  }

  /** Whether one more such point is there than was asked for before. */
  take(step: bigint, timeMs: number, value: number): boolean {
    const name = nameOf(step, timeMs, value);
    const left = this.#counts.get(name) ?? 0;
    if (left > 0) this.#counts.set(name, left - 1);
    return left > 0;
  }
}

/** Exact, also for what is equal and not the same: 0 and -0. */
function nameOf(step: bigint, timeMs: number, value: number): string {
  return `${step} ${timeMs} ${Object.is(value, -0) ? "-0" : value}`;
}
