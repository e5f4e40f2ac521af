import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { scheduler } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { principalOf } from "@trainyard/service";
import { type Job, liveAttempt } from "../domain/job.ts";
import { stuckRank } from "../domain/stuck-rank.ts";
import type { Heard } from "../fleet.ts";
import type { Stacks } from "../stacks.ts";
import type { Jobs } from "../store/jobs.ts";
import { jobStateToProto } from "../wire/enums.ts";
import { jobNotFound, maySee } from "./scope.ts";

/** Shows where the ranks of a running job are. */
export async function captureStacks(
  deps: {
    readonly jobs: Jobs;
    readonly stacks: Stacks;
    readonly latest: (nodeId: string) => Heard | undefined;
  },
  request: scheduler.CaptureStacksRequest,
  context: HandlerContext,
): Promise<scheduler.CaptureStacksResponse> {
  const job = await deps.jobs.find(request.jobId);
  if (job === undefined || !maySee(principalOf(context), job)) throw jobNotFound(request.jobId);
  const attempt = liveAttempt(job);
  if (attempt?.ranksStartedAt === undefined) throw notRunning(job);
  const found = await deps.stacks.capture(job, attempt, { signal: context.signal });
  const stepOf = (rank: number, nodeId: string) => {
    const part = deps
      .latest(nodeId)
      ?.heartbeat.parts.find((one) => one.jobId === job.id && one.attempt === attempt.number);
    return BigInt(part?.ranks.find((one) => one.rank === rank)?.lastStep ?? -1);
  };
  return create(scheduler.CaptureStacksResponseSchema, {
    attempt: attempt.number,
    ranks: found.map((one) => ({ ...one, lastStep: stepOf(one.rank, one.nodeId) })),
    oddRank: found.length < 2 ? -1 : stuckRank(found),
  });
}

function notRunning(job: Job): DomainError {
  const state = scheduler.JobState[jobStateToProto[job.state]].toLowerCase();
  return new DomainError(
    "failed_precondition",
    "JOB_NOT_RUNNING",
    `Job ${job.id} is ${state}: only ranks that run have stacks. "trainyard status" tells why it does not run.`,
  );
}
