import { tracking } from "@trainyard/contracts";
import { collectPages } from "../client/collect-pages.ts";
import { formatMetric } from "../follow/metric-value.ts";
import { reconnecting } from "../follow/reconnecting.ts";
import { word } from "../follow/words.ts";
import type { Session } from "../session.ts";
import { style } from "../terminal/style.ts";
import type { Column } from "../terminal/table.ts";
import { sparkline } from "./sparkline.ts";

/** The options of `runs`. */
export interface RunsFlags {
  readonly experiment?: string;
  readonly limit: number;
}

/** Lists runs. */
export async function runs(session: Session, flags: RunsFlags): Promise<void> {
  const { tracking: client } = await session.clients();
  const { items } = await collectPages(flags.limit, async (page) => {
    const response = await client.listRuns({ page, experiment: flags.experiment ?? "" });
    return { items: response.runs, next: response.page?.nextPageToken ?? "" };
  });
  if (session.json) {
    session.printMessage(tracking.ListRunsResponseSchema, {
      $typeName: "trainyard.tracking.v1.ListRunsResponse",
      runs: items,
    });
    return;
  }
  const columns: Column<tracking.Run>[] = [
    { title: "run", cell: (run) => run.id },
    { title: "name", cell: (run) => run.name },
    { title: "experiment", cell: (run) => run.experiment },
    { title: "status", cell: (run) => word(tracking.RunStatus, run.status), paint: paintStatus },
    { title: "started", cell: (run) => session.time(run.startedAt) },
    { title: "metrics", cell: lastMetrics },
  ];
  session.printTable(columns, items, "No runs yet. Every submitted job makes one.");
}

function paintStatus(text: string, run: tracking.Run): string {
  const { RunStatus } = tracking;
  if (run.status === RunStatus.COMPLETED) return style.good(text);
  if (run.status === RunStatus.FAILED) return style.bad(text);
  return run.status === RunStatus.RUNNING ? style.accent(text) : text;
}

function lastMetrics(run: tracking.Run): string {
  return Object.entries(run.metrics)
    .slice(0, 3)
    .map(([key, { last }]) => `${key} ${formatMetric(last)}`)
    .join("  ");
}

/** The options of `metrics`. */
export interface MetricsFlags {
  readonly key?: readonly string[];
  readonly rank?: number;
  readonly follow?: boolean;
}

/** Shows a run's metrics. */
export async function metrics(session: Session, id: string, flags: MetricsFlags): Promise<number> {
  const { tracking: client } = await session.clients();
  const { run } = await client.getRun({ runId: id });
  if (run === undefined) throw new Error("tracking answered without a run");
  const keys = [...(flags.key ?? [])];
  if (flags.follow === true) return followPoints(session, run.id, keys);
  const history = await client.getMetricHistory({
    runId: run.id,
    keys,
    ...(flags.rank === undefined ? {} : { rank: flags.rank }),
  });
  if (session.json) session.printMessage(tracking.GetMetricHistoryResponseSchema, history);
  else if (keys.length > 0) printPoints(session, history.points);
  else printSummary(session, run, history.points);
  if (history.truncated) process.stderr.write("there are more points than were sent; ask for one --key\n");
  return 0;
}

function printPoints(session: Session, points: readonly tracking.MetricPoint[]): void {
  session.printTable(pointColumns(session), points, "No points of these metrics.");
}

function pointColumns(session: Session): Column<tracking.MetricPoint>[] {
  return [
    { title: "key", cell: ({ key }) => key },
    { title: "step", cell: ({ step }) => String(step) },
    // Whole in a pipe, so that nothing is lost on the way to another program.
    { title: "value", cell: ({ value }) => (session.isTerminal ? formatMetric(value) : String(value)) },
    { title: "time", cell: ({ timeMs }) => session.time(new Date(timeMs)) },
    { title: "rank", cell: ({ rank }) => String(rank) },
    { title: "attempt", cell: ({ attempt }) => String(attempt) },
  ];
}

function printSummary(session: Session, run: tracking.Run, points: readonly tracking.MetricPoint[]): void {
  const curves = new Map<string, number[]>();
  for (const { key, value } of points) {
    const values = curves.get(key) ?? [];
    values.push(value);
    curves.set(key, values);
  }
  const columns: Column<[string, tracking.MetricSummary]>[] = [
    { title: "key", cell: ([key]) => key },
    { title: "last", cell: ([, summary]) => formatMetric(summary.last) },
    { title: "step", cell: ([, summary]) => String(summary.lastStep) },
    { title: "min", cell: ([, summary]) => formatMetric(summary.min) },
    { title: "max", cell: ([, summary]) => formatMetric(summary.max) },
    { title: "points", cell: ([, summary]) => String(summary.count) },
    ...(session.isTerminal
      ? [
          {
            title: "curve",
            cell: ([key]: [string, tracking.MetricSummary]) => sparkline(curves.get(key) ?? [], 40),
            paint: style.accent,
          },
        ]
      : []),
  ];
  session.printTable(columns, Object.entries(run.metrics), "No metrics yet.");
}

async function followPoints(session: Session, runId: string, keys: string[]): Promise<number> {
  const { tracking: client } = await session.clients();
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort());
  const { signal } = interrupted;
  const messages = reconnecting(
    () => client.tailRun({ runId, keys }, { timeoutMs: 0, signal }),
    () => false,
    signal,
    () => undefined,
  );
  try {
    for await (const message of messages) {
      if (session.json) session.printMessage(tracking.TailRunResponseSchema, message, { indent: 0 });
      else
        for (const point of message.points)
          session.print(
            pointColumns(session)
              .map(({ cell }) => cell(point))
              .join("\t"),
          );
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    return 130;
  }
  return 0;
}
