import { createHash } from "node:crypto";
import { formatMetric } from "../follow/metric-value.ts";
import { formatBytes } from "../terminal/bytes.ts";
import { style } from "../terminal/style.ts";
import type { Column } from "../terminal/table.ts";
import type { FileChange } from "./code-diff.ts";
import type { Comparison, MetricRow, Row } from "./compare.ts";

/** Longest value on a terminal; what is longer is cut, with its length and digest, so that two that differ look different. */
const maxShown = 48;

/** One line of a comparison. */
export interface Line {
  readonly section: string;
  readonly name: string;
  readonly values: readonly string[];
  readonly differs: boolean;
}

/** What is shown of a comparison. */
export interface Shown {
  /** What is the same in all runs as well. */
  readonly all: boolean;
  /** Only these metrics; none means all. */
  readonly metrics: readonly string[];
  /** On a terminal values are cut and rounded; in a pipe they are whole. */
  readonly human: boolean;
}

/** The lines of a comparison, by section. */
export function comparisonLines(comparison: Comparison, shown: Shown): Line[] {
  const rows = (section: string, of: readonly Row[]) =>
    of
      .filter((row) => shown.all || row.differs)
      .map((row) => ({
        section,
        name: row.name,
        values: row.values.map((value) => valueText(value, shown.human)),
        differs: row.differs,
      }));
  return [
    ...rows("parameter", comparison.params),
    ...rows("lineage", comparison.lineage),
    ...comparison.metrics.filter((row) => isShown(row, shown)).map((row) => metricLine(row, shown.human)),
    ...rows("environment", comparison.environment),
  ];
}

/** The columns of such lines: with exactly two runs, what the second's metrics have more than the first's. */
export function lineColumns(comparison: Comparison): Column<Line>[] {
  return [
    { title: "of", cell: ({ section }) => section, paint: style.dim },
    { title: "what", cell: ({ name }) => name },
    ...comparison.runs.map(({ id, name }, index) => ({
      title: `${name} (${id.slice(-6)})`,
      cell: ({ values }: Line) => values[index] ?? "",
      paint: (text: string, line: Line) => (line.differs && index > 0 ? style.accent(text) : text),
    })),
  ];
}

/** A line for each pair of neighbouring runs: how their code differs. */
export function codeSummary(changes: readonly FileChange[]): string {
  if (changes.length === 0) return "the same files";
  const lines = changes.reduce((sum, change) => sum + (change.addedLines ?? 0), 0);
  const gone = changes.reduce((sum, change) => sum + (change.removedLines ?? 0), 0);
  const named = changes.slice(0, 5).map(({ path, change }) => `${path} ${change}`);
  const more = changes.length > named.length ? ` and ${changes.length - named.length} more` : "";
  return `${changes.length} ${changes.length === 1 ? "file" : "files"}, +${lines} −${gone}: ${named.join(", ")}${more}`;
}

/** One file's change as a unified diff, or a line that says why there is none. */
export function changeText({ path, change, sizes, patch, why }: FileChange): string {
  if (patch !== undefined) return patch;
  const [before, after] = sizes.map((size) => (size === null ? "none" : formatBytes(size)));
  return `${change}: ${path} (${why}; ${before} → ${after})\n`;
}

function isShown(row: MetricRow, { all, metrics }: Shown): boolean {
  if (metrics.length > 0) return metrics.includes(row.key);
  // Counts only speak where something is odd with them.
  return all || row.aggregate === "last" || (row.differs && row.aggregate !== "count");
}

function metricLine({ key, aggregate, values, differs }: MetricRow, human: boolean): Line {
  const text = (value: number | undefined) => {
    if (value === undefined) return "–";
    return human ? formatMetric(value) : Object.is(value, -0) ? "-0" : String(value);
  };
  return { section: "metric", name: `${key} ${aggregate}`, values: values.map(text), differs };
}

function valueText(value: string | undefined, human: boolean): string {
  if (value === undefined) return "–";
  if (!human || value.length <= maxShown) return value;
  if (/^[0-9a-f]{64}$/.test(value)) return value.slice(0, 12);
  const digest = createHash("sha256").update(value).digest("hex").slice(0, 6);
  return `${value.slice(0, maxShown - 24)}… (${value.length} characters, ${digest})`;
}
