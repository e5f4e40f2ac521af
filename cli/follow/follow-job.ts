import { scheduler, tracking } from "@trainyard/contracts";
import { exitCodes } from "../exit-codes.ts";
import type { Session } from "../session.ts";
import { style } from "../terminal/style.ts";
import { FollowView } from "./follow-view.ts";
import { reconnecting } from "./reconnecting.ts";
import { isFinal } from "./words.ts";

/** How long the last points may take to arrive once the job has ended; nobody waits longer for a line of output. */
const LAST_POINTS_MS = 500;

/**
 * Follows a job to its end: why it waits, attempts, loss, checkpoints, how it ended. Gives 0 when it succeeded, else 1.
 * Ctrl-C detaches: the job goes on.
 */
export async function follow(session: Session, jobId: string): Promise<number> {
  const { scheduler: jobs, tracking: runs } = await session.clients();
  const view = new FollowView(session);
  const ended = new AbortController();
  const interrupted = new AbortController();
  const onInterrupt = () => interrupted.abort();
  process.once("SIGINT", onInterrupt);
  const signal = AbortSignal.any([ended.signal, interrupted.signal]);
  let final: scheduler.Job | undefined;
  let metrics: Promise<void> | undefined;

  try {
    const watch = reconnecting(
      () => jobs.watchJob({ jobId }, { timeoutMs: 0, signal }),
      () => final === undefined,
      interrupted.signal,
      (reason) => view.note(reason),
    );
    for await (const { job } of watch) {
      if (job === undefined) continue;
      view.job(job);
      metrics ??= tail(session, runs, job.runId, view, signal);
      if (isFinal(job.state)) final = job;
    }
    // What was stored last may still be on its way.
    await Promise.race([metrics, new Promise((resolve) => setTimeout(resolve, LAST_POINTS_MS))]);
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
  } finally {
    process.off("SIGINT", onInterrupt);
    ended.abort();
  }
  if (interrupted.signal.aborted) {
    view.detached(jobId);
    return exitCodes.interrupted;
  }
  if (final === undefined) return exitCodes.unavailable;
  view.end(final);
  return final.state === scheduler.JobState.SUCCEEDED ? exitCodes.ok : exitCodes.failed;
}

/** The run's points and checkpoints; a tail that cannot be had does not end the following. */
async function tail(
  session: Session,
  runs: Awaited<ReturnType<Session["clients"]>>["tracking"],
  runId: string,
  view: FollowView,
  signal: AbortSignal,
): Promise<void> {
  try {
    const messages = reconnecting(
      () => runs.tailRun({ runId }, { timeoutMs: 0, signal }),
      () => false,
      signal,
      () => undefined,
    );
    for await (const message of messages) {
      if (session.json) session.printMessage(tracking.TailRunResponseSchema, message, { indent: 0 });
      else view.points(message);
    }
  } catch {
    if (!signal.aborted)
      view.note(style.dim("metrics cannot be followed just now; `trainyard metrics` shows them"));
  }
}
