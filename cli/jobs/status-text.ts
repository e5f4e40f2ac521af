import { scheduler, tracking } from "@trainyard/contracts";
import { formatMetric, isSystemMetric } from "../follow/metric-value.ts";
import { failureLine, jobStateWord, paintState, placementLine, word } from "../follow/words.ts";
import type { Session } from "../session.ts";
import { formatBytes } from "../terminal/bytes.ts";
import { formatDuration } from "../terminal/duration.ts";
import { fields } from "../terminal/fields.ts";
import { style } from "../terminal/style.ts";
import { safeText } from "../terminal/text.ts";
import { timestampMs } from "../terminal/time.ts";
import { handoverText, recoveryText } from "./recovery-text.ts";

/** Checkpoints and metrics that are listed; more are in --json. */
const maxListed = 8;

/** Everything a person asks about one job. */
export function statusText(
  session: Session,
  job: scheduler.Job,
  run: tracking.Run | undefined,
  checkpoints: readonly tracking.Checkpoint[],
): string {
  const spec = job.spec;
  const head = `${paintState("●", job.state)} ${style.bold(spec?.name ?? "")}  ${paintState(jobStateWord(job.state), job.state)}${lasted(job)}`;
  const rows: (readonly [string, string])[] = [
    ["job", job.id],
    ["run", job.runId],
    ["submitted", `${session.time(job.createdAt)} by ${job.createdBy}`],
    ["gang", gangText(spec)],
    ["runs", (spec?.entrypoint ?? []).join(" ")],
    ["code", codeText(spec?.code)],
    ["dataset", datasetText(job)],
    ["waits", job.pending?.message ?? ""],
    ["now", nowText(session, job.attempts.at(-1))],
    ["slow", slowText(session, job.attempts.at(-1))],
    ["metrics", metricsText(run)],
    [
      "model",
      run?.model === undefined
        ? ""
        : `${spec?.model?.name || run.model.name}, digest ${run.model.digest.slice(0, 12)}`,
    ],
    ["recovery", recoveryText(job, run)],
    ["trace", job.traceparent.split("-")[1] ?? ""],
  ];
  return [
    head,
    "",
    fields(rows),
    ...section(
      "Attempts",
      job.attempts.map((attempt) => attemptLine(session, attempt, run)),
    ),
    ...section(
      "Checkpoints",
      checkpoints.slice(0, maxListed).map((one) => checkpointLine(session, one)),
    ),
    ...failureSection(job.failure),
  ].join("\n");
}

function datasetText({ dataset, spec }: scheduler.Job): string {
  if (dataset !== undefined) return `${dataset.name}@${dataset.version}`;
  const paths = spec?.dataPaths ?? [];
  return paths.length === 0 ? "" : `${style.warn("untracked data")}: ${paths.map(safeText).join(", ")}`;
}

function gangText(spec: scheduler.JobSpec | undefined): string {
  const ranks = spec?.ranks ?? 0;
  const slots = spec?.slotsPerRank || 1;
  const least = spec?.minRanks ?? 0;
  return `${least > 0 && least < ranks ? `${least} to ` : ""}${count(ranks, "rank")} with ${count(slots, "slot")}${ranks > 1 ? " each" : ""}, queue ${spec?.queue || "default"}`;
}

/** What happens to the gang that runs. */
function nowText(session: Session, attempt: scheduler.Attempt | undefined): string {
  if (attempt === undefined || attempt.endedAt !== undefined) return "";
  const { yielding, idleSince } = attempt;
  const idle = idleSince === undefined ? "" : `does nothing since ${session.time(idleSince)}`;
  if (yielding === undefined) return idle;
  const cause = word(scheduler.YieldCause, yielding.cause);
  const step = yielding.checkpointStep < 0n ? "" : `, asked to checkpoint at step ${yielding.checkpointStep}`;
  const grows = yielding.cause === scheduler.YieldCause.GROW;
  const deadline = grows ? "" : `, stopped at ${session.time(yielding.deadlineAt)} at the latest`;
  return `gives way (${cause})${step}${deadline}`;
}

/** Which ranks hold the gang up. */
function slowText(session: Session, attempt: scheduler.Attempt | undefined): string {
  if (attempt === undefined || attempt.endedAt !== undefined) return "";
  const stragglers = attempt.stragglers.map(
    ({ rank, nodeId, computeSeconds, medianSeconds, since }) =>
      `rank ${rank} on ${safeText(nodeId)} computes ${formatMs(computeSeconds)} a step, the others ${formatMs(medianSeconds)}, since ${session.time(since)}`,
  );
  const stalls = attempt.dataStalls.map(
    ({ rank, nodeId, waitSeconds, stepSeconds, since }) =>
      `rank ${rank} on ${safeText(nodeId)} waits ${formatMs(waitSeconds)} of ${formatMs(stepSeconds)} a step for data (${Math.round((100 * waitSeconds) / stepSeconds)} %), since ${session.time(since)}`,
  );
  return [...stragglers, ...stalls].map((line) => style.warn(line)).join("; ");
}

function formatMs(seconds: number): string {
  const ms = seconds * 1000;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

function lasted(job: scheduler.Job): string {
  if (job.createdAt === undefined || job.endedAt === undefined) return "";
  return style.dim(` after ${formatDuration(timestampMs(job.endedAt) - timestampMs(job.createdAt))}`);
}

function codeText(code: scheduler.CodeRef | undefined): string {
  if (code === undefined || code.digest === "") return "";
  const changes = code.dirtyDiffDigest === "" ? "" : " with uncommitted changes";
  const commit = code.gitCommit === "" ? "" : `, commit ${code.gitCommit.slice(0, 10)}${changes}`;
  return `${code.digest.slice(0, 12)}, ${formatBytes(code.sizeBytes)}${commit}`;
}

function metricsText(run: tracking.Run | undefined): string {
  return Object.entries(run?.metrics ?? {})
    .filter(([key]) => !isSystemMetric(key))
    .slice(0, maxListed)
    .map(([key, { last }]) => `${key} ${formatMetric(last)}`)
    .join("  ");
}

function attemptLine(session: Session, attempt: scheduler.Attempt, run: tracking.Run | undefined): string {
  const from =
    attempt.resumedFromCheckpointId === "" ? "from the beginning" : `from step ${attempt.resumedFromStep}`;
  const until = attempt.endedAt === undefined ? "" : `–${session.time(attempt.endedAt)}`;
  const failure =
    attempt.failure === undefined ? "" : `  ${style.warn(safeText(failureLine(attempt.failure)))}`;
  const handover = handoverText(run, attempt.number);
  const saved = handover === "" ? "" : `; ${handover}`;
  return `${attempt.number}  ${session.time(attempt.admittedAt)}${until}  ${from}, ${placementLine(attempt)}${startLine(attempt)}${failure}${saved}`;
}

/** How the ranks were started; a reason that several nodes share is told once. */
function startLine({ starts }: scheduler.Attempt): string {
  const words = starts.map(({ mode, coldReason }) =>
    mode === scheduler.StartMode.WARM ? "started warm" : `started cold: ${safeText(coldReason)}`,
  );
  return [...new Set(words)].map((word) => `, ${word}`).join("");
}

function checkpointLine(session: Session, checkpoint: tracking.Checkpoint): string {
  const why = checkpoint.kind === tracking.CheckpointKind.JUST_IN_TIME ? ", by survivors" : "";
  return `step ${checkpoint.step}  ${formatBytes(checkpoint.sizeBytes)}  ${session.time(checkpoint.committedAt)}  attempt ${checkpoint.attempt}${why}  ${style.dim(checkpoint.id)}`;
}

function failureSection(failure: scheduler.Failure | undefined): string[] {
  if (failure === undefined) return [];
  const where = failure.rank >= 0 ? [`rank ${failure.rank}`] : [];
  const how =
    failure.signal > 0
      ? [`signal ${failure.signal}`]
      : failure.exitCode > 0
        ? [`exit code ${failure.exitCode}`]
        : [];
  const step = failure.step >= 0n ? [`at step ${failure.step}`] : [];
  const details = [...where, ...how, ...step].join(", ");
  const tail = safeText(failure.tracebackTail.trimEnd());
  return section("Failure", [
    style.bad(safeText(failureLine(failure))),
    style.dim([failure.reason, details].filter((part) => part !== "").join(" · ")),
    ...(tail === "" ? [] : ["", ...tail.split("\n")]),
  ]);
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", style.bold(title), ...lines.map((line) => `  ${line}`.trimEnd())];
}
