import { clone, create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { scheduler } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { crashPoint } from "@trainyard/failpoint";
import { actorOf, methodPath, principalOf, requestHash, requestId } from "@trainyard/service";
import { messageAnswer, onceByRequest, type Store } from "@trainyard/store";
import { requestCancel } from "../domain/job-changes.ts";
import { MAX_REASON_LENGTH } from "../domain/limits.ts";
import type { Jobs } from "../store/jobs.ts";
import { VersionConflictError } from "../store/jobs.ts";
import { LEADER_TOPIC, type Wake } from "../wake.ts";
import { jobToProto } from "../wire/job-to-proto.ts";
import { jobNotFound, maySee } from "./scope.ts";

/** What a cancel needs. */
export interface CancelDeps {
  readonly store: Store;
  readonly jobs: Jobs;
  readonly wake: Wake;
}

/** How often a cancel is tried again when the leader changes the job at the same moment. */
const TRIES = 20;

/** Stops a job; one that has ended stays as it is. */
export async function cancelJob(
  deps: CancelDeps,
  request: scheduler.CancelJobRequest,
  context: HandlerContext,
): Promise<scheduler.CancelJobResponse> {
  assertReason(request.reason);
  requestId(request.requestId);
  for (let tries = 1; ; tries++) {
    try {
      const answer = await cancelOnce(deps, request, context);
      crashPoint("scheduler.cancel.committed");
      if (answer.job !== undefined) deps.wake.raise(answer.job.id);
      deps.wake.raise(LEADER_TOPIC);
      return answer;
    } catch (error) {
      if (!(error instanceof VersionConflictError) || tries === TRIES) throw error;
    }
  }
}

function assertReason(reason: string): void {
  if (reason.length <= MAX_REASON_LENGTH) return;
  const description = `expected at most ${MAX_REASON_LENGTH} characters, got ${reason.length}`;
  throw new DomainError("invalid_argument", "REASON_TOO_LONG", `reason: ${description}.`, {
    violations: [{ field: "reason", description }],
  });
}

function cancelOnce(
  { store, jobs }: CancelDeps,
  request: scheduler.CancelJobRequest,
  context: HandlerContext,
): Promise<scheduler.CancelJobResponse> {
  const principal = principalOf(context);
  const body = clone(scheduler.CancelJobRequestSchema, request);
  body.requestId = "";
  const key = {
    principal: actorOf(principal),
    method: methodPath(scheduler.SchedulerService.method.cancelJob),
    requestId: request.requestId,
    requestHash: requestHash(body),
    codec: messageAnswer(scheduler.CancelJobResponseSchema),
  };
  return store.transaction("cancel job", (tx) =>
    onceByRequest(tx, key, async () => {
      const job = await jobs.find(request.jobId, tx);
      if (job === undefined || !maySee(principal, job)) throw jobNotFound(request.jobId);
      const change = requestCancel(job, actorOf(principal), request.reason, new Date());
      if (change !== undefined) await jobs.commit(tx, change);
      return create(scheduler.CancelJobResponseSchema, { job: jobToProto(change?.job ?? job) });
    }),
  );
}
