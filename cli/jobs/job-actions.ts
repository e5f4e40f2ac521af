import { randomUUID } from "node:crypto";
import { scheduler, tracking, workeragent } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { collectPages } from "../client/collect-pages.ts";
import { retryUnavailable } from "../client/retry.ts";
import { follow } from "../follow/follow-job.ts";
import { jobStateWord, paintState } from "../follow/words.ts";
import type { Session } from "../session.ts";
import { formatDuration } from "../terminal/duration.ts";
import { style } from "../terminal/style.ts";
import type { Column } from "../terminal/table.ts";
import { safeText } from "../terminal/text.ts";
import { timestampMs } from "../terminal/time.ts";
import { statusText } from "./status-text.ts";

/** The options of `jobs`. */
export interface JobsFlags {
  readonly state?: readonly string[];
  readonly queue?: string;
  readonly evaluations?: boolean;
  readonly limit: number;
}

/** Lists jobs. */
export async function jobs(session: Session, flags: JobsFlags): Promise<void> {
  const { scheduler: client } = await session.clients();
  const states = (flags.state ?? []).map(stateOf);
  const kind = flags.evaluations === true ? 0 : scheduler.JobKind.TRAINING;
  const { items, more } = await collectPages(flags.limit, async (page) => {
    const response = await client.listJobs({ page, states, queue: flags.queue ?? "", kind });
    return { items: response.jobs, next: response.page?.nextPageToken ?? "" };
  });
  if (session.json) {
    session.printMessage(scheduler.ListJobsResponseSchema, {
      $typeName: "trainyard.scheduler.v1.ListJobsResponse",
      jobs: items,
    });
    return;
  }
  session.printTable(columns(session), items, "No jobs. Submit one with `npx trainyard submit job.yaml`.");
  if (more && session.isTerminal) session.print(style.dim(`the newest ${flags.limit}; more with --limit`));
}

function columns(session: Session): Column<scheduler.Job>[] {
  return [
    { title: "job", cell: (job) => job.id },
    { title: "name", cell: (job) => job.spec?.name ?? "" },
    {
      title: "state",
      cell: (job) => jobStateWord(job.state),
      paint: (text, job) => paintState(text, job.state),
    },
    { title: "ranks", cell: (job) => String(job.spec?.ranks ?? "") },
    { title: "attempt", cell: (job) => String(job.attempts.length) },
    { title: "submitted", cell: (job) => session.time(job.createdAt) },
    { title: "took", cell: tookText },
    { title: "note", cell: (job) => job.pending?.message ?? job.failure?.message ?? "" },
  ];
}

function tookText(job: scheduler.Job): string {
  if (job.createdAt === undefined) return "";
  const until = job.endedAt === undefined ? Date.now() : timestampMs(job.endedAt);
  return formatDuration(until - timestampMs(job.createdAt));
}

function stateOf(text: string): scheduler.JobState {
  const names = Object.entries(scheduler.JobState).filter(
    (entry): entry is [string, scheduler.JobState] => typeof entry[1] === "number" && entry[1] !== 0,
  );
  const found = names.find(([name]) => name === text.toUpperCase());
  if (found !== undefined) return found[1];
  throw new DomainError(
    "invalid_argument",
    "STATE_UNKNOWN",
    `--state ${text}: expected one of ${names.map(([name]) => name.toLowerCase()).join(", ")}`,
  );
}

/** Shows one job; with --follow to its end. */
export async function status(
  session: Session,
  id: string,
  flags: { readonly follow?: boolean },
): Promise<number> {
  if (flags.follow === true) return follow(session, id);
  const { scheduler: client, tracking: runs } = await session.clients();
  const { job } = await client.getJob({ jobId: id });
  if (job === undefined) throw new Error("the scheduler answered without a job");
  if (session.json) {
    session.printMessage(scheduler.JobSchema, job);
    return 0;
  }
  // The record is another service's: a job is shown although it is away.
  const run = await runs.getRun({ runId: job.runId }).catch(() => undefined);
  const checkpoints = await runs.listCheckpoints({ runId: job.runId }).catch(() => undefined);
  session.print(statusText(session, job, run?.run, checkpoints?.checkpoints ?? []));
  return 0;
}

/** The options of `logs`. */
export interface LogsFlags {
  readonly follow?: boolean;
  readonly rank?: number;
  readonly attempt?: number;
  readonly tail?: number;
  readonly grep?: string;
}

/** Prints what the ranks printed, their standard error to standard error when one rank is asked for. */
export async function logs(session: Session, id: string, flags: LogsFlags): Promise<number> {
  const { tracking: runs } = await session.clients();
  const matches = lineFilter(flags.grep);
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort());
  const request = {
    runId: id,
    attempt: flags.attempt ?? 0,
    follow: flags.follow === true,
    tailLines: flags.tail ?? 0,
    ...(flags.rank === undefined ? {} : { rank: flags.rank }),
  };
  try {
    for await (const part of runs.readLogs(request, { timeoutMs: 0, signal: interrupted.signal })) {
      part.lines = part.lines.filter(matches);
      if (part.lines.length === 0) continue;
      if (session.json) session.printMessage(tracking.ReadLogsResponseSchema, part, { indent: 0 });
      else printLines(session, part, flags.rank === undefined);
    }
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    return 130;
  }
  return 0;
}

/** What `--grep` lets through. */
function lineFilter(pattern: string | undefined): (line: string) => boolean {
  if (pattern === undefined) return () => true;
  try {
    const expression = new RegExp(pattern, "u");
    return (line) => expression.test(line);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DomainError(
      "invalid_argument",
      "PATTERN_INVALID",
      `--grep: ${reason}. Expected a regular expression, such as 'loss|warn'.`,
    );
  }
}

function printLines(session: Session, part: tracking.ReadLogsResponse, named: boolean): void {
  const isError = part.stream === workeragent.LogStream.STDERR;
  const prefix = named ? `${part.attempt}.${part.rank} ` : "";
  for (const line of part.lines) {
    // A progress bar redraws its line with carriage returns: the last state counts.
    const text = safeText(line.replace(/\r+$/, "").split("\r").at(-1) ?? "");
    const shown = isError && named ? style.warn(text) : text;
    if (isError && !named) process.stderr.write(`${text}\n`);
    else session.print(`${named ? style.dim(prefix) : ""}${shown}`);
  }
}

/** The options of `cancel`. */
export interface CancelFlags {
  readonly reason?: string;
}

/** Asks for a job to stop. */
export async function cancel(session: Session, id: string, flags: CancelFlags): Promise<void> {
  const { scheduler: client } = await session.clients();
  const request = { requestId: randomUUID(), jobId: id, reason: flags.reason ?? "" };
  const { job } = await retryUnavailable(() => client.cancelJob(request));
  if (job === undefined) throw new Error("the scheduler answered without a job");
  if (session.json) session.printMessage(scheduler.JobSchema, job);
  else session.print(`${job.id} is ${paintState(jobStateWord(job.state), job.state)}`);
}
