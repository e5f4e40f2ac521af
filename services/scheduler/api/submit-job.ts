import { clone, create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { scheduler } from "@trainyard/contracts";
import { DomainError, newId } from "@trainyard/domain";
import { crashPoint } from "@trainyard/failpoint";
import { actorOf, methodPath, type Principal, principalOf, requestHash, requestId } from "@trainyard/service";
import { messageAnswer, onceByRequest, type Store } from "@trainyard/store";
import { currentTraceparent, withSpan } from "@trainyard/telemetry";
import type { Job } from "../domain/job.ts";
import { fewestRanks, type JobSpec } from "../domain/job-spec.ts";
import type { Jobs } from "../store/jobs.ts";
import { LEADER_TOPIC, type Wake } from "../wake.ts";
import { jobToProto } from "../wire/job-to-proto.ts";
import { specFromProto } from "../wire/spec-from-proto.ts";
import { assertValidSpec, type Bound, checkSubmission, type SubmissionDeps } from "./check-submission.ts";
import { projectOf } from "./scope.ts";

/** What a submission needs. */
export interface SubmitDeps extends SubmissionDeps {
  readonly store: Store;
  readonly jobs: Jobs;
  readonly wake: Wake;
}

/** Thrown inside the transaction when the request is new and the checks, which call other services, are still to be made. */
class NotCheckedYet extends Error {}

/** Accepts a job or says exactly why not. */
export async function submitJob(
  deps: SubmitDeps,
  request: scheduler.SubmitJobRequest,
  context: HandlerContext,
): Promise<scheduler.SubmitJobResponse> {
  const principal = principalOf(context);
  const project = projectOf(principal, request.project);
  const spec = specFromProto(request.spec ?? create(scheduler.JobSpecSchema));
  const key = requestKey(principal, request);
  assertValidSpec(spec);
  assertMaySubmit(principal, spec);
  return withSpan("scheduler", "submit", {}, async (span) => {
    const job = newJob(spec, project, actorOf(principal));
    span.setAttributes({ "trainyard.job": job.id, "trainyard.run": job.runId });
    const answer = await acceptOnce(deps, key, job);
    crashPoint("scheduler.submit.committed");
    deps.wake.raise(LEADER_TOPIC);
    return answer;
  });
}

function requestKey(principal: Principal, request: scheduler.SubmitJobRequest) {
  const body = clone(scheduler.SubmitJobRequestSchema, request);
  body.requestId = "";
  return {
    principal: actorOf(principal),
    method: methodPath(scheduler.SchedulerService.method.submitJob),
    requestId: requestId(request.requestId),
    requestHash: requestHash(body),
    codec: messageAnswer(scheduler.SubmitJobResponseSchema),
  };
}

function assertMaySubmit(principal: Principal, spec: JobSpec): void {
  if (spec.kind !== "evaluation") return;
  if (principal.kind === "service" && principal.name === "evaluation") return;
  throw new DomainError(
    "permission_denied",
    "EVALUATION_JOB_NOT_ALLOWED",
    "Jobs of kind evaluation are submitted by the evaluation service only: start an evaluation instead.",
  );
}

function newJob(spec: JobSpec, project: string, createdBy: string): Job {
  const traceparent = currentTraceparent();
  return {
    id: newId("job"),
    project,
    spec,
    state: "queued",
    runId: newId("run"),
    attempts: [],
    version: 1,
    createdBy,
    createdAt: new Date(),
    retriesUsed: { user: 0, infra: 0 },
    pending: {
      reason: "not-yet-considered",
      message: "Accepted a moment ago.",
      slotsNeeded: fewestRanks(spec) * spec.slotsPerRank,
      slotsFree: 0,
      behindJobId: "",
      position: 0,
    },
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

/**
 * Commits the job with the answer to its request id. A repeated request gets its answer whatever has become of the
 * dataset or the fleet since, so the checks are made only once the transaction has seen that the request is new.
 */
async function acceptOnce(
  { store, jobs, ...deps }: SubmitDeps,
  key: ReturnType<typeof requestKey>,
  job: Job,
): Promise<scheduler.SubmitJobResponse> {
  let checked: Bound | undefined;
  for (;;) {
    try {
      return await store.transaction("submit job", (tx) =>
        onceByRequest(tx, key, async () => {
          if (checked === undefined) throw new NotCheckedYet();
          const { dataset, startFrom } = checked;
          const spec = startFrom === undefined ? job.spec : { ...job.spec, startFrom };
          const accepted: Job = { ...job, spec, ...(dataset === undefined ? {} : { dataset }) };
          await jobs.insert(tx, accepted);
          return create(scheduler.SubmitJobResponseSchema, { job: jobToProto(accepted) });
        }),
      );
    } catch (error) {
      if (!(error instanceof NotCheckedYet)) throw error;
      checked = await checkSubmission(deps, job);
    }
  }
}
