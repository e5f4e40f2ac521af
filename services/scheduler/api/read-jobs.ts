import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { scheduler } from "@trainyard/contracts";
import { pageQuery, principalOf } from "@trainyard/service";
import { decodePageToken, encodePageToken } from "@trainyard/store";
import type { Jobs } from "../store/jobs.ts";
import { jobStateFromProto, kindFromProto } from "../wire/enums.ts";
import { jobToProto } from "../wire/job-to-proto.ts";
import { visibleJob } from "./scope.ts";

/** Bytes of jobs in one page: a page ends early rather than exceed what one message may hold. */
const MAX_PAGE_BYTES = 3 * 1024 * 1024;

/** One job. */
export async function getJob(
  jobs: Jobs,
  request: scheduler.GetJobRequest,
  context: HandlerContext,
): Promise<scheduler.GetJobResponse> {
  const job = await visibleJob(jobs, principalOf(context), request.jobId);
  return create(scheduler.GetJobResponseSchema, { job: jobToProto(job) });
}

/** One page of jobs, newest first. */
export async function listJobs(
  jobs: Jobs,
  request: scheduler.ListJobsRequest,
  context: HandlerContext,
): Promise<scheduler.ListJobsResponse> {
  const { project } = principalOf(context);
  const kind = kindFromProto(request.kind);
  const filter = {
    states: request.states.flatMap((state) => jobStateFromProto(state) ?? []),
    ...(project === undefined ? {} : { project }),
    ...(request.queue === "" ? {} : { queue: request.queue }),
    ...(kind === undefined ? {} : { kind }),
  };
  const { size } = pageQuery(request.page);
  const before = decodePageToken(request.page?.pageToken ?? "", filter);
  const found = await jobs.page(filter, typeof before === "string" ? before : undefined, size + 1);
  const page = withinBytes(found.slice(0, size).map(jobToProto));
  const last = page.at(-1);
  const nextPageToken =
    last !== undefined && found.length > page.length ? encodePageToken(filter, last.id) : "";
  return create(scheduler.ListJobsResponseSchema, { jobs: page, page: { nextPageToken } });
}

/** Every job, oldest first. */
export async function* exportJobs(
  jobs: Jobs,
  context: HandlerContext,
): AsyncGenerator<scheduler.ExportJobsResponse> {
  for await (const job of jobs.all(principalOf(context).project)) {
    context.signal.throwIfAborted();
    yield create(scheduler.ExportJobsResponseSchema, { job: jobToProto(job) });
  }
}

/** The jobs that fit into one message: at least one. What makes a job large is its job file, which lists leave out. */
function withinBytes(jobs: readonly scheduler.Job[]): scheduler.Job[] {
  const page: scheduler.Job[] = [];
  let bytes = 0;
  for (const job of jobs) {
    if (job.spec !== undefined) job.spec.sourceYaml = "";
    bytes += estimate(job);
    if (bytes > MAX_PAGE_BYTES && page.length > 0) break;
    page.push(job);
  }
  return page;
}

function estimate(job: scheduler.Job): number {
  const placements = job.attempts.flatMap((attempt) => attempt.placements);
  const numbers = placements.reduce((sum, { ranks, slots }) => sum + ranks.length + slots.length, 0);
  const spec =
    JSON.stringify(job.spec, (_, value) => (typeof value === "bigint" ? Number(value) : value)) ?? "";
  return 2 * spec.length + 4 * numbers + 6_000 * (job.attempts.length + 1);
}
