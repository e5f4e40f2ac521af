/** A value that was looked at in each run: absent where the run has none. */
export type Values = readonly (string | undefined)[];

/** One thing that runs have, with its value in each of them. */
export interface Row {
  readonly name: string;
  readonly values: Values;
  /** Whether not all runs have the same; a run that lacks it differs from one that has it. */
  readonly differs: boolean;
}

/** What one run is compared by; every value as exact text. */
export interface RunFacts {
  readonly id: string;
  readonly name: string;
  readonly params: ReadonlyMap<string, string>;
  readonly lineage: ReadonlyMap<string, string>;
  readonly environment: ReadonlyMap<string, string>;
  readonly metrics: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

/** Runs side by side. */
export interface Comparison {
  readonly runs: readonly { readonly id: string; readonly name: string }[];
  readonly params: readonly Row[];
  readonly lineage: readonly Row[];
  readonly environment: readonly Row[];
  readonly metrics: readonly MetricRow[];
}

/** One aggregate of one metric in each run. */
export interface MetricRow {
  readonly key: string;
  readonly aggregate: string;
  readonly values: readonly (number | undefined)[];
  readonly differs: boolean;
}

/** Sets runs side by side. Names stand in the order of their code units, so that the same runs give the same lines. */
export function compareRuns(runs: readonly RunFacts[]): Comparison {
  return {
    runs: runs.map(({ id, name }) => ({ id, name })),
    params: rowsOf(runs.map(({ params }) => params)),
    // In the order in which a run's origins are told, not by name.
    lineage: rowsOf(
      runs.map(({ lineage }) => lineage),
      false,
    ),
    environment: rowsOf(runs.map(({ environment }) => environment)),
    metrics: metricRows(runs.map(({ metrics }) => metrics)),
  };
}

function rowsOf(of: readonly ReadonlyMap<string, string>[], sorted = true): Row[] {
  return namesIn(of, sorted).map((name) => {
    const values = of.map((map) => map.get(name));
    return { name, values, differs: values.some((value) => value !== values[0]) };
  });
}

function metricRows(of: readonly ReadonlyMap<string, ReadonlyMap<string, number>>[]): MetricRow[] {
  return namesIn(of, true).flatMap((key) => {
    const aggregates = of.map((metrics) => metrics.get(key) ?? new Map<string, number>());
    return namesIn(aggregates, false).map((aggregate) => {
      const values = aggregates.map((map) => map.get(aggregate));
      // NaN is the same as NaN, and 0 is not -0: the runs logged the same bits or they did not.
      return { key, aggregate, values, differs: values.some((value) => !Object.is(value, values[0])) };
    });
  });
}

function namesIn(of: readonly ReadonlyMap<string, unknown>[], sorted: boolean): string[] {
  const names = [...new Set(of.flatMap((map) => [...map.keys()]))];
  return sorted ? names.sort((a, b) => (a < b ? -1 : 1)) : names;
}

/** A number exactly, as ProtoJSON writes it: JSON has no NaN and no infinities. */
export function exactNumber(value: number | undefined): number | string | null {
  if (value === undefined) return null;
  if (Object.is(value, -0)) return "-0";
  return Number.isFinite(value) ? value : String(value);
}
