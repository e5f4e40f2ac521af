import type { scheduler } from "@trainyard/contracts";
import type { Clients } from "../client/clients.ts";
import { reconnecting } from "../follow/reconnecting.ts";
import { isFinal } from "../follow/words.ts";

/** Waits for a job's end without a word; undefined when it was interrupted before. */
export async function awaitEnd(
  clients: Clients,
  jobId: string,
  interrupted: AbortSignal,
): Promise<scheduler.Job | undefined> {
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, interrupted]);
  const watch = reconnecting(
    () => clients.scheduler.watchJob({ jobId }, { timeoutMs: 0, signal }),
    () => !over.signal.aborted,
    interrupted,
    () => undefined,
  );
  try {
    for await (const { job } of watch) if (job !== undefined && isFinal(job.state)) return job;
  } catch (error) {
    if (!interrupted.aborted) throw error;
  } finally {
    over.abort();
  }
  return undefined;
}
