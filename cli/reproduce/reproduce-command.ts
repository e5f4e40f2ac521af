import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type scheduler, tracking } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { retryUnavailable } from "../client/retry.ts";
import { compareRuns, type Row } from "../compare/compare.ts";
import { environmentOf, loadRun } from "../compare/load-run.ts";
import { runFacts } from "../compare/run-facts.ts";
import { exitCodes } from "../exit-codes.ts";
import { follow } from "../follow/follow-job.ts";
import { failureLine } from "../follow/words.ts";
import type { Session } from "../session.ts";
import { style } from "../terminal/style.ts";
import { safeText } from "../terminal/text.ts";
import { awaitEnd } from "./await-end.ts";
import { compareWeights, type FilePair } from "./compare-weights.ts";
import { noJob, repeatSpec } from "./repeat-spec.ts";
import { savedWeights } from "./saved-weights.ts";

const lookEveryMs = 200;
const maxLooks = 300;

/** The options of `reproduce`. */
export interface ReproduceFlags {
  readonly wait?: boolean;
  readonly against?: string;
  readonly requestId?: string;
}

/** What is told of a reproduction; the JSON form of the command. */
interface Report {
  readonly original: { readonly runId: string; readonly jobId: string };
  readonly reproduction: { readonly runId: string; readonly jobId: string };
  readonly verdict: "submitted" | "identical" | "differs" | "not-comparable" | "failed";
  readonly reason: string;
  readonly step: number | null;
  readonly files: readonly FilePair[];
  /** In what interpreter, libraries and hardware they differ. */
  readonly environment: readonly { readonly name: string; readonly values: readonly (string | null)[] }[];
}

/** Submits a run's job again, and with --wait compares what comes out. */
export async function reproduce(session: Session, id: string, flags: ReproduceFlags): Promise<number> {
  const clients = await session.clients();
  const { run } = await retryUnavailable(() => clients.tracking.getRun({ runId: id }));
  if (run === undefined) throw new Error("tracking answered without a run");
  if (flags.against !== undefined) return tell(session, await compared(session, run.id, flags.against));
  if (run.jobId === "") throw noJob(run);
  const { job: original } = await retryUnavailable(() => clients.scheduler.getJob({ jobId: run.jobId }));
  if (original === undefined) throw new Error("the scheduler answered without a job");
  const request = { requestId: flags.requestId ?? randomUUID(), spec: repeatSpec(run, original) };
  const { job } = await retryUnavailable(() => clients.scheduler.submitJob(request));
  if (job === undefined) throw new Error("the scheduler answered without a job");
  session.say(
    `${style.dim("submitted")}  ${style.bold(job.id)}  ${style.dim(`run ${job.runId}, again what ${run.id} did`)}`,
  );
  if (flags.wait !== true) {
    session.say(style.dim(`at its end: npx trainyard reproduce ${run.id} --against ${job.runId}`));
    return session.json ? tell(session, submitted(run, job)) : exitCodes.ok;
  }
  const ended = await endOf(session, job);
  if (ended === undefined) return exitCodes.interrupted;
  await recordOfEnd(session, job.runId);
  return tell(session, await compared(session, run.id, job.runId));
}

function submitted(run: tracking.Run, job: scheduler.Job): Report {
  return {
    original: { runId: run.id, jobId: run.jobId },
    reproduction: { runId: job.runId, jobId: job.id },
    verdict: "submitted",
    reason: "it was submitted",
    step: null,
    files: [],
    environment: [],
  };
}

/** The job as it ended; undefined when the waiting was interrupted, which leaves the job as it is. */
async function endOf(session: Session, job: scheduler.Job): Promise<scheduler.Job | undefined> {
  if (!session.json && (await follow(session, job.id)) === exitCodes.interrupted) return undefined;
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort());
  return awaitEnd(await session.clients(), job.id, interrupted.signal);
}

/** The record of a run hears of the job's end by an event, a moment after the job's own end. */
async function recordOfEnd(session: Session, runId: string): Promise<void> {
  const clients = await session.clients();
  for (let tries = 0; tries < maxLooks; tries += 1) {
    const { run } = await retryUnavailable(() => clients.tracking.getRun({ runId }));
    if (run !== undefined && isEnded(run)) return;
    await delay(lookEveryMs);
  }
}

/** Two runs that have ended, side by side. Throws RUN_NOT_ENDED. */
async function compared(session: Session, originalId: string, againId: string): Promise<Report> {
  const clients = await session.clients();
  const loaded = [await loadRun(session, originalId), await loadRun(session, againId)] as const;
  const [original, again] = [loaded[0].run, loaded[1].run];
  for (const run of [original, again]) assertEnded(run);
  const environments = await Promise.all(loaded.map((one) => environmentOf(session, one)));
  const facts = loaded.map(({ run }, index) => runFacts(run, environments[index]));
  const found = compareWeights(await savedWeights(clients, original), await savedWeights(clients, again));
  const isBroken =
    again.status !== tracking.RunStatus.COMPLETED && original.status === tracking.RunStatus.COMPLETED;
  return {
    original: { runId: original.id, jobId: original.jobId },
    reproduction: { runId: again.id, jobId: again.jobId },
    ...found,
    ...(isBroken ? { verdict: "failed" as const, reason: `it ended otherwise: ${failureOf(again)}` } : {}),
    environment: compareRuns(facts)
      .environment.filter(decides)
      .map(({ name, values }) => ({
        name,
        values: values.map((value) => value ?? null),
      })),
  };
}

/** What of two environments can make a difference to numbers; where it ran and what it was called cannot. */
function decides({ name, differs }: Row): boolean {
  const isNumeric =
    /^(python|packages|numerics|reproducibility|job)\.|^machine\.(architecture|cpus|gpus)$/.test(name);
  return differs && isNumeric && !name.startsWith("job.env.TRAINYARD_");
}

function tell(session: Session, report: Report): number {
  if (session.json) session.print(JSON.stringify(report, undefined, 2));
  else {
    const { verdict, reason, step, files, environment } = report;
    const paint =
      verdict === "identical" ? style.good : verdict === "not-comparable" ? style.warn : style.bad;
    const at = step === null ? "" : style.dim(` (checkpoints of step ${step})`);
    session.print(`${paint(verdict)}  ${safeText(reason)}${at}`);
    for (const { of, rank, path, digests, identical } of files) {
      if (identical) continue;
      const [a, b] = digests.map((digest) => digest?.slice(0, 12) ?? "none");
      session.print(safeText(`  ${of}, rank ${rank}, ${path}: ${a} → ${b}`));
    }
    if (verdict !== "identical")
      for (const { name, values } of environment)
        session.print(
          style.dim(safeText(`  ${name}: ${values.map((value) => value ?? "none").join(" → ")}`)),
        );
  }
  if (report.verdict === "identical" || report.verdict === "submitted") return exitCodes.ok;
  return report.verdict === "differs" ? exitCodes.differs : exitCodes.failed;
}

function isEnded({ status }: tracking.Run): boolean {
  return status !== tracking.RunStatus.QUEUED && status !== tracking.RunStatus.RUNNING;
}

function assertEnded(run: tracking.Run): void {
  if (isEnded(run)) return;
  throw new DomainError(
    "failed_precondition",
    "RUN_NOT_ENDED",
    `${run.id} has not ended: what it will have saved last cannot be compared yet`,
  );
}

function failureOf({ failure }: tracking.Run): string {
  return failure === undefined ? "it was cancelled" : failureLine(failure);
}
