import { tracking } from "@trainyard/contracts";
import type { Clients } from "../client/clients.ts";
import { retryUnavailable } from "../client/retry.ts";
import { paramTexts } from "../compare/run-facts.ts";
import { word } from "../follow/words.ts";
import type { Session } from "../session.ts";
import { formatBytes } from "../terminal/bytes.ts";
import { style } from "../terminal/style.ts";
import { timestampMs } from "../terminal/time.ts";
import { type ParquetColumn, writeParquet } from "./parquet-file.ts";
import { metricKeysOf, readPoints } from "./read-points.ts";
import { type RunSelection, selectRuns } from "./select-runs.ts";
import { wholeFile } from "./whole-file.ts";

/** The options of `export parquet`. */
export interface ParquetFlags extends RunSelection {
  readonly output: string;
  readonly force?: boolean;
}

/** The tables that can be exported. */
export type ParquetTable = "runs" | "metrics";

const { RunStatus, Lifecycle } = tracking;

const runColumns: readonly ParquetColumn<tracking.Run>[] = [
  text("run_id", ({ id }) => id),
  text("experiment_id", ({ experimentId }) => experimentId),
  text("experiment", ({ experiment }) => experiment),
  text("name", ({ name }) => name),
  text("status", ({ status }) => word(RunStatus, status)),
  text("lifecycle", ({ lifecycle }) => word(Lifecycle, lifecycle)),
  text("job_id", ({ jobId }) => jobId || null),
  text("parent_run_id", ({ parentRunId }) => parentRunId || null),
  text("created_by", ({ createdBy }) => createdBy),
  time("created_at", ({ createdAt }) => createdAt),
  time("started_at", ({ startedAt }) => startedAt),
  time("ended_at", ({ endedAt }) => endedAt),
  text("dataset", ({ dataset }) => (dataset === undefined ? null : `${dataset.name}@${dataset.version}`)),
  text("code_digest", ({ spec }) => spec?.code?.digest || null),
  text("git_commit", ({ spec }) => spec?.code?.gitCommit || null),
  { name: "seed", type: "bigint", value: ({ spec }) => spec?.seed ?? null },
  { name: "ranks", type: "integer", value: ({ spec }) => spec?.ranks ?? null },
  text("note", ({ note }) => note || null),
  { name: "params", type: "texts", value: (run) => paramTexts(run) },
  { name: "tags", type: "texts", value: ({ tags }) => tags },
  { name: "metrics", type: "doubles", value: ({ metrics }) => lastValues(metrics) },
];

/** A point and whose it is. */
interface RunPoint {
  readonly runId: string;
  readonly point: tracking.MetricPoint;
}

const pointColumns: readonly ParquetColumn<RunPoint>[] = [
  text("run_id", ({ runId }) => runId),
  text("key", ({ point }) => point.key),
  { name: "step", type: "bigint", value: ({ point }) => point.step },
  { name: "time_ms", type: "double", value: ({ point }) => point.timeMs },
  { name: "value", type: "double", value: ({ point }) => point.value },
  { name: "rank", type: "integer", value: ({ point }) => (point.rank < 0 ? null : point.rank) },
  { name: "attempt", type: "integer", value: ({ point }) => point.attempt },
];

/** Writes runs, or all their points, as a Parquet file. */
export async function exportParquet(
  session: Session,
  table: ParquetTable,
  named: readonly string[],
  flags: ParquetFlags,
): Promise<void> {
  const clients = await session.clients();
  const ids = await selectRuns(clients, named, flags);
  const done = await wholeFile(flags.output, flags.force === true, (draft) =>
    table === "runs"
      ? writeParquet(draft, runColumns, runsOf(clients, ids))
      : writeParquet(draft, pointColumns, pointsOf(clients, ids)),
  );
  if (session.json)
    session.print(JSON.stringify({ output: flags.output, table, runs: ids.length, ...done }, undefined, 2));
  session.say(
    `${style.good("exported")}  ${done.rows} rows of ${ids.length} runs, ${formatBytes(done.sizeBytes)}: ${flags.output}`,
  );
}

async function* runsOf(clients: Clients, ids: readonly string[]): AsyncGenerator<readonly tracking.Run[]> {
  for (const runId of ids) {
    const { run } = await retryUnavailable(() => clients.tracking.getRun({ runId }));
    if (run !== undefined) yield [run];
  }
}

async function* pointsOf(clients: Clients, ids: readonly string[]): AsyncGenerator<readonly RunPoint[]> {
  for (const runId of ids)
    for (const key of await metricKeysOf(clients, runId))
      for await (const points of readPoints(clients, runId, key))
        yield points.map((point) => ({ runId, point }));
}

function lastValues(metrics: Readonly<Record<string, tracking.MetricSummary>>): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).map(([key, { last }]) => [key, last]));
}

function text<Row>(name: string, value: (row: Row) => string | null): ParquetColumn<Row> {
  return { name, type: "text", value };
}

function time<Row>(
  name: string,
  value: (row: Row) => Parameters<typeof timestampMs>[0] | undefined,
): ParquetColumn<Row> {
  const at = (row: Row) => {
    const found = value(row);
    return found === undefined ? null : new Date(timestampMs(found));
  };
  return { name, type: "time", value: at };
}
