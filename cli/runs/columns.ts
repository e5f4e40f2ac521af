import { tracking } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { formatMetric } from "../follow/metric-value.ts";
import { word } from "../follow/words.ts";
import { style } from "../terminal/style.ts";
import type { Column } from "../terminal/table.ts";

/** How values are shown: times as the session says, numbers short on a terminal and whole in a pipe. */
export interface CellStyle {
  readonly time: (at: tracking.Run["startedAt"]) => string;
  readonly isTerminal: boolean;
}

/** What of runs a search has to fill in, by key. */
export interface ColumnKeys {
  readonly metricKeys: string[];
  readonly paramKeys: string[];
  readonly tagKeys: string[];
}

const aggregates = ["last", "first", "min", "max", "mean", "count"] as const;
type Aggregate = (typeof aggregates)[number];

/** A column as it is asked for. */
export type RunColumn =
  | { readonly kind: "attribute"; readonly name: AttributeName }
  | { readonly kind: "metric"; readonly key: string; readonly aggregate: Aggregate }
  | { readonly kind: "param" | "tag"; readonly key: string };

const attributes = {
  run: (run) => run.id,
  name: (run) => run.name,
  experiment: (run) => run.experiment,
  status: (run) => word(tracking.RunStatus, run.status),
  started: (run, { time }) => time(run.startTime),
  ended: (run, { time }) => time(run.endedAt),
  user: (run) => run.createdBy,
  job: (run) => run.jobId,
  parent: (run) => run.parentRunId,
  lifecycle: (run) => word(tracking.Lifecycle, run.lifecycle),
  favourite: (run) => (run.favourite ? "*" : ""),
} as const satisfies Record<string, (run: tracking.Run, style: CellStyle) => string>;

type AttributeName = keyof typeof attributes;

/** Names of the columns that every run has. */
export const attributeNames = Object.keys(attributes) as AttributeName[];

/** Reads `run,status,metrics.loss.min,params."a,b"`; throws a usage error that names what it does not know. */
export function parseColumns(text: string): RunColumn[] {
  const parts = text.match(/(?:`[^`]*`|"[^"]*"|[^,])+/g) ?? [];
  return parts.map((part) => parseColumn(part.trim()));
}

function parseColumn(text: string): RunColumn {
  const name = attributeNames.find((known) => known === text);
  if (name !== undefined) return { kind: "attribute", name };
  const [, kind, rest = ""] = /^(metric|param|tag)s?\.(.+)$/s.exec(text) ?? [];
  const quoted = /^(?:`([^`]+)`|"([^"]+)")(?:\.(\w+))?$/s.exec(rest);
  const key = quoted?.[1] ?? quoted?.[2];
  if (kind === "param" || kind === "tag") return { kind, key: key ?? rest };
  if (kind !== "metric") throw unknownColumn(text);
  if (key !== undefined) return { kind, key, aggregate: aggregateOf(quoted?.[3] ?? "last", text) };
  const dot = rest.lastIndexOf(".");
  const last = aggregates.find((aggregate) => dot > 0 && aggregate === rest.slice(dot + 1));
  return { kind, key: last === undefined ? rest : rest.slice(0, dot), aggregate: last ?? "last" };
}

function aggregateOf(name: string, text: string): Aggregate {
  const found = aggregates.find((aggregate) => aggregate === name);
  if (found === undefined) throw unknownColumn(text);
  return found;
}

function unknownColumn(text: string): DomainError {
  const message = `--columns: there is no column ${JSON.stringify(text)}. Expected ${attributeNames.join(", ")}, metrics.KEY, metrics.KEY.min (${aggregates.join(", ")}), params.KEY or tags.KEY.`;
  return new DomainError("invalid_argument", "COLUMN_UNKNOWN", message);
}

/** The keys whose values the columns show. */
export function keysOf(columns: readonly RunColumn[]): ColumnKeys {
  const of = (kind: "metric" | "param" | "tag") => [
    ...new Set(columns.flatMap((column) => (column.kind === kind ? [column.key] : []))),
  ];
  return { metricKeys: of("metric"), paramKeys: of("param"), tagKeys: of("tag") };
}

/** The columns of a table of runs. */
export function tableColumns(columns: readonly RunColumn[], cell: CellStyle): Column<tracking.Run>[] {
  return columns.map((column) => {
    const title = titleOf(column);
    const paint = column.kind === "attribute" && column.name === "status" ? { paint: paintStatus } : {};
    return { title, cell: (run) => cellText(run, column, cell), ...paint };
  });
}

function titleOf(column: RunColumn): string {
  if (column.kind === "attribute") return column.name;
  if (column.kind !== "metric") return `${column.kind}s.${column.key}`;
  return column.aggregate === "last" ? column.key : `${column.key}.${column.aggregate}`;
}

function cellText(run: tracking.Run, column: RunColumn, cell: CellStyle): string {
  switch (column.kind) {
    case "attribute":
      return attributes[column.name](run, cell);
    case "param":
      return run.paramTexts[column.key] ?? "";
    case "tag":
      return run.tags[column.key] ?? "";
    case "metric": {
      const summary = run.metrics[column.key];
      if (summary === undefined) return "";
      const value = Number(summary[column.aggregate]);
      return cell.isTerminal ? formatMetric(value) : String(value);
    }
  }
}

function paintStatus(text: string, run: tracking.Run): string {
  const { RunStatus } = tracking;
  if (run.status === RunStatus.COMPLETED) return style.good(text);
  if (run.status === RunStatus.FAILED) return style.bad(text);
  return run.status === RunStatus.RUNNING ? style.accent(text) : text;
}
