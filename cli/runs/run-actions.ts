import { tracking } from "@trainyard/contracts";
import { formatMetric } from "../follow/metric-value.ts";
import { reconnecting } from "../follow/reconnecting.ts";
import type { Session } from "../session.ts";
import { style } from "../terminal/style.ts";
import type { Column } from "../terminal/table.ts";
import { sparkline } from "./sparkline.ts";

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
