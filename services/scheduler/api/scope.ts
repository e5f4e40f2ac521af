import { DomainError } from "@trainyard/domain";
import type { Principal } from "@trainyard/service";
import type { Job } from "../domain/job.ts";
import type { Jobs } from "../store/jobs.ts";

/** The project of callers that are not limited to one and name none. */
export const DEFAULT_PROJECT = "default";

const PROJECT = /^[A-Za-z0-9_-]{1,64}$/;

/** The project that a call is about. Throws when the caller may not touch it or its name cannot be part of a subject. */
export function projectOf(principal: Principal, asked: string): string {
  const project = asked || principal.project || DEFAULT_PROJECT;
  if (principal.project !== undefined && project !== principal.project) {
    throw new DomainError(
      "permission_denied",
      "PROJECT_NOT_ALLOWED",
      `The token is for project "${principal.project}", not "${project}".`,
    );
  }
  if (PROJECT.test(project)) return project;
  const description = `expected 1 to 64 letters, digits, "_" or "-", got ${JSON.stringify(project.slice(0, 80))}`;
  throw new DomainError("invalid_argument", "PROJECT_INVALID", `project: ${description}.`, {
    violations: [{ field: "project", description }],
  });
}

/** Whether the caller may know of the job. */
export function maySee(principal: Principal, job: Pick<Job, "project">): boolean {
  return principal.project === undefined || principal.project === job.project;
}

/** No such job; also the answer for a job of another project. */
export function jobNotFound(id: string): DomainError {
  return new DomainError(
    "not_found",
    "JOB_NOT_FOUND",
    `There is no job or run ${JSON.stringify(id.slice(0, 80))}. "trainyard jobs" lists them.`,
  );
}

/** The job by its id or its run's. Throws JOB_NOT_FOUND. */
export async function visibleJob(jobs: Jobs, principal: Principal, id: string): Promise<Job> {
  const job = await jobs.find(id);
  if (job === undefined || !maySee(principal, job)) throw jobNotFound(id);
  return job;
}
