import { scheduler, type tracking } from "@trainyard/contracts";
import type { Session } from "../session.ts";
import { formatBytes } from "../terminal/bytes.ts";
import { formatDuration } from "../terminal/duration.ts";
import { style } from "../terminal/style.ts";
import { safeText } from "../terminal/text.ts";
import { timestampMs } from "../terminal/time.ts";
import { LiveLine } from "./live-line.ts";
import { formatMetric, isSystemMetric } from "./metric-value.ts";
import { failureLine, isFinal, jobStateWord, paintState, placementLine } from "./words.ts";

/** Most metrics in the live line. */
const maxLiveMetrics = 4;

/** Shows a job as it goes: a line for each thing that happened, with the time since the submission, and a live line of metrics. */
export class FollowView {
  readonly #session: Session;
  readonly #line: LiveLine;
  readonly #latest = new Map<string, { readonly step: bigint; readonly value: number }>();
  #since = Date.now();
  #said = "";
  #attemptsEnded = 0;
  #checkpointStep = -1n;

  constructor(session: Session) {
    this.#session = session;
    this.#line = new LiveLine(session.isTerminal);
  }

  job(job: scheduler.Job): void {
    if (this.#session.json) {
      this.#session.printMessage(scheduler.WatchJobResponseSchema, watchResponse(job), { indent: 0 });
      return;
    }
    if (job.createdAt !== undefined) this.#since = timestampMs(job.createdAt);
    this.#attempts(job);
    if (isFinal(job.state)) return;
    const text = this.#stateText(job);
    const key = `${job.state} ${text}`;
    if (key === this.#said) return;
    this.#said = key;
    this.#happened(paintState(jobStateWord(job.state).padEnd(10), job.state), text);
  }

  points(message: tracking.TailRunResponse): void {
    const checkpoint = message.run?.latestCheckpoint;
    if (checkpoint !== undefined && checkpoint.step > this.#checkpointStep) {
      this.#checkpointStep = checkpoint.step;
      this.#happened("checkpoint", `step ${checkpoint.step}, ${formatBytes(checkpoint.sizeBytes)}`);
    }
    for (const { key, step, value } of message.points) {
      if (isSystemMetric(key)) continue;
      const known = this.#latest.get(key);
      if (known === undefined || step >= known.step) this.#latest.set(key, { step, value });
    }
    if (message.points.length > 0) this.#line.update(this.#metricsText());
  }

  note(text: string): void {
    if (!this.#session.json) this.#line.print(`${this.#elapsed()}  ${style.dim(text)}`);
  }

  detached(jobId: string): void {
    if (this.#session.json) return;
    this.#line.keep();
    this.#session.print(
      `\nDetached; the job goes on.\n  npx trainyard status ${jobId} -f   to follow it again\n  npx trainyard cancel ${jobId}      to stop it`,
    );
  }

  end(job: scheduler.Job): void {
    if (this.#session.json) return;
    this.#line.keep();
    const word = paintState(jobStateWord(job.state).padEnd(10), job.state);
    const failure = job.state === scheduler.JobState.FAILED ? job.failure : undefined;
    this.#happened(word, failure === undefined ? "" : safeText(failureLine(failure)));
    const tail = failure?.tracebackTail.trimEnd() ?? "";
    if (tail !== "") this.#session.print(`\n${indent(safeText(tail))}`);
    this.#session.print(style.dim(`\nMore: npx trainyard status ${job.id} · npx trainyard logs ${job.id}`));
  }

  #attempts(job: scheduler.Job): void {
    const ended = job.attempts.filter(({ state }) => state === scheduler.AttemptState.ENDED);
    for (const attempt of ended.slice(this.#attemptsEnded)) {
      if (attempt.failure !== undefined && !(isFinal(job.state) && attempt === job.attempts.at(-1)))
        this.#happened(
          style.warn("failed    "),
          `attempt ${attempt.number}: ${safeText(failureLine(attempt.failure))}`,
        );
    }
    this.#attemptsEnded = Math.max(this.#attemptsEnded, ended.length);
  }

  #stateText(job: scheduler.Job): string {
    if (job.pending !== undefined && job.pending.message !== "") return safeText(job.pending.message);
    const attempt = job.attempts.at(-1);
    if (job.state !== scheduler.JobState.RUNNING || attempt === undefined) return "";
    const from = attempt.resumedFromCheckpointId === "" ? "" : `, from step ${attempt.resumedFromStep}`;
    return `attempt ${attempt.number}${from}: ${placementLine(attempt)}`;
  }

  #metricsText(): string {
    const shown = [...this.#latest].slice(0, maxLiveMetrics);
    const step = shown.reduce((most, [, point]) => (point.step > most ? point.step : most), 0n);
    const values = shown.map(([key, { value }]) => `${key} ${formatMetric(value)}`);
    return `${this.#elapsed()}  step ${String(step).padEnd(5)}  ${values.join("  ")}`;
  }

  #happened(what: string, text: string): void {
    this.#line.print(`${this.#elapsed()}  ${what}  ${text}`.trimEnd());
  }

  #elapsed(): string {
    return style.dim(formatDuration(Math.max(0, Date.now() - this.#since)).padStart(9));
  }
}

function watchResponse(job: scheduler.Job): scheduler.WatchJobResponse {
  return { $typeName: "trainyard.scheduler.v1.WatchJobResponse", job };
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n");
}
