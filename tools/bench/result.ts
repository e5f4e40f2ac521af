/** One measured figure. */
export interface Measurement {
  readonly metric: string;
  readonly unit: string;
  /** The median of the samples, unless the metric's name says otherwise. */
  readonly value: number;
  readonly samples?: readonly number[];
  /** The same work done by another tool in the same call. */
  readonly peer?: { readonly name: string; readonly version: string; readonly value: number };
  /** Why it could not be measured here; the value means nothing then. */
  readonly notRun?: string;
  /** What we want it to be. */
  readonly aim?: { readonly op: "<" | "<=" | ">" | ">="; readonly value: number };
}

/** A benchmark: named work that prints its progress and gives its figures. */
export interface Bench {
  readonly name: string;
  /** One sentence for --list. */
  readonly about: string;
  run(say: (line: string) => void): Promise<readonly Measurement[]>;
}

/** Whether the aim is met; undefined without one. */
export function isMet({ value, aim, notRun }: Measurement): boolean | undefined {
  if (notRun !== undefined) return undefined;
  switch (aim?.op) {
    case "<":
      return value < aim.value;
    case "<=":
      return value <= aim.value;
    case ">":
      return value > aim.value;
    case ">=":
      return value >= aim.value;
    default:
      return undefined;
  }
}

/** The value below which this share of the samples lies (nearest rank). Throws without samples. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  if (value === undefined) throw new Error("no samples");
  return value;
}

export const median = (samples: readonly number[]) => quantile(samples, 0.5);
