import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { scheduler } from "@trainyard/contracts";
import { principalOf } from "@trainyard/service";
import type { Job } from "../domain/job.ts";
import { isFinal } from "../domain/job-state.ts";
import type { Jobs } from "../store/jobs.ts";
import type { Wake } from "../wake.ts";
import { jobToProto } from "../wire/job-to-proto.ts";
import { visibleJob } from "./scope.ts";

/** Changes made by another replica are found within this. */
const POLL_MS = 250;

/** Sends the job now and after each change until it is final; ends at once when the client goes away. */
export async function* watchJob(
  { jobs, wake }: { readonly jobs: Jobs; readonly wake: Wake },
  request: scheduler.WatchJobRequest,
  context: HandlerContext,
): AsyncGenerator<scheduler.WatchJobResponse> {
  const principal = principalOf(context);
  let seen = wake.count();
  let job = await visibleJob(jobs, principal, request.jobId);
  for (;;) {
    yield create(scheduler.WatchJobResponseSchema, { job: jobToProto(job) });
    if (isFinal(job.state)) return;
    const before = fingerprint(job);
    for (let now = before; now === before; ) {
      await wake.after(job.id, seen, POLL_MS, context.signal);
      context.signal.throwIfAborted();
      seen = wake.count();
      const glance = await jobs.glance(job.id);
      now = glance === undefined ? before : fingerprint(glance);
    }
    job = await visibleJob(jobs, principal, job.id);
  }
}

function fingerprint({ version, pending }: Pick<Job, "version" | "pending">): string {
  return JSON.stringify([version, pending ?? null]);
}
