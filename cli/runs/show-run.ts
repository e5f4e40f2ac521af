import { create } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import { formatMetric, isSystemMetric } from "../follow/metric-value.ts";
import { failureLine, word } from "../follow/words.ts";
import type { Session } from "../session.ts";
import { formatBytes } from "../terminal/bytes.ts";
import { fields } from "../terminal/fields.ts";
import { style } from "../terminal/style.ts";
import { safeText } from "../terminal/text.ts";
import { notePlace } from "./change-runs.ts";

/** Metrics and notes shown of a run; `metrics` and `runs note` show all. */
const METRICS_SHOWN = 20;
const NOTES_SHOWN = 10;

/** Shows one run: what it is, what it was given, what came out, what people say about it. */
export async function showRun(session: Session, id: string): Promise<void> {
  const { tracking: client, runs } = await session.clients();
  const response = await client.getRun({ runId: id });
  if (session.json) {
    session.printMessage(tracking.GetRunResponseSchema, response);
    return;
  }
  const run = response.run ?? create(tracking.RunSchema);
  const { notes } = await runs.listNotes({ runId: run.id, page: { pageSize: NOTES_SHOWN } });
  session.print(`${style.bold(run.name)}  ${run.id}`);
  session.print(fields(facts(session, run)));
  section(session, "parameters", Object.entries(run.paramTexts).sort(byKey));
  section(session, "tags", Object.entries(run.tags).sort(byKey));
  section(
    session,
    "datasets",
    run.inputs.map(({ name, digest, context }) => [context || "input", `${name} (${digest})`]),
  );
  const all = Object.entries(run.metrics).sort(byKey);
  const metrics = all.filter(([key]) => !isSystemMetric(key));
  section(session, "metrics", metrics.slice(0, METRICS_SHOWN).map(metricRow));
  if (metrics.length > METRICS_SHOWN)
    session.print(`  and ${metrics.length - METRICS_SHOWN} more: npx trainyard metrics ${run.id}`);
  section(session, "measured by the platform", all.filter(([key]) => isSystemMetric(key)).map(measuredRow));
  section(
    session,
    "notes",
    notes.map((note) => {
      const place = notePlace(note);
      const said = `${note.createdBy}${place === "" ? "" : ` (${place})`}: ${note.text}`;
      return [session.time(note.createdAt), said];
    }),
  );
}

function facts(session: Session, run: tracking.Run): [string, string][] {
  const { spec } = run;
  return [
    ["status", word(tracking.RunStatus, run.status)],
    ["failure", run.failure === undefined ? "" : failureLine(run.failure)],
    ["experiment", `${run.experiment} (${run.experimentId})`],
    ["job", run.jobId],
    ["parent", run.parentRunId],
    ["by", run.createdBy],
    ["started", session.time(run.startTime)],
    ["ended", run.endedAt === undefined ? "" : session.time(run.endedAt)],
    [
      "shown",
      run.lifecycle === tracking.Lifecycle.ACTIVE
        ? ""
        : `${word(tracking.Lifecycle, run.lifecycle)} by ${run.lifecycleChangedBy} ${session.time(run.lifecycleChangedAt)}`,
    ],
    [
      "commit",
      spec?.code === undefined || spec.code.gitCommit === ""
        ? ""
        : `${spec.code.gitCommit}${spec.code.dirtyDiffDigest === "" ? "" : " with uncommitted changes"}`,
    ],
    ["code", spec?.code?.digest ?? ""],
    ["seed", spec === undefined ? "" : String(spec.seed)],
    [
      "dataset",
      run.untrackedData
        ? `${style.warn("untracked data")}: ${(run.spec?.dataPaths ?? []).map(safeText).join(", ")}`
        : run.dataset === undefined
          ? ""
          : `${run.dataset.name}@${run.dataset.version} (${run.dataset.versionId})`,
    ],
    [
      "started from",
      spec?.startFrom === undefined
        ? ""
        : `${spec.startFrom.runId}@${spec.startFrom.step} (${spec.startFrom.checkpointId})`,
    ],
    ["attempts", run.attempts.length > 1 ? String(run.attempts.length) : ""],
    ["model", run.model?.name ?? ""],
    [
      "idle limit",
      run.jobId === "" ? `${run.idleLimitSeconds} s, last sign of life ${session.time(run.seenAt)}` : "",
    ],
    ["note", run.note],
  ];
}

function metricRow([key, { last, lastStep, min, max }]: [string, tracking.MetricSummary]): [string, string] {
  return [key, `${formatMetric(last)} at step ${lastStep}, ${formatMetric(min)} to ${formatMetric(max)}`];
}

/** Of what is measured, the mean over all ranks and time, and the highest. */
function measuredRow([key, { mean, max }]: [string, tracking.MetricSummary]): [string, string] {
  const name = key.slice("trainyard/".length);
  const value = (figure: number) =>
    name.endsWith("bytes") ? formatBytes(BigInt(Math.round(figure))) : formatMetric(figure);
  return [name, `mean ${value(mean)}, at most ${value(max)}`];
}

function section(session: Session, title: string, rows: readonly (readonly [string, string])[]): void {
  if (rows.length > 0) session.print(`${style.dim(title)}\n${fields(rows)}`);
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
