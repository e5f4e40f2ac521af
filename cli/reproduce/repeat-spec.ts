import { clone } from "@bufbuild/protobuf";
import { scheduler, type tracking } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";

/** The label by which a job says which run it repeats. */
export const reproducesLabel = "trainyard.reproduces";

/**
 * The spec that does again what a run did: its code, parameters, environment, seed and start, with the dataset version that it
 * was given and the number of ranks that it ran on. It registers no model: there is one already, if the run made one. Throws
 * RUN_HAS_NO_JOB and RUN_CHANGED_SIZE.
 */
export function repeatSpec(run: tracking.Run, job: scheduler.Job): scheduler.JobSpec {
  if (run.spec === undefined) throw noJob(run);
  const spec = clone(scheduler.JobSpecSchema, run.spec);
  if (run.dataset !== undefined && spec.dataset !== undefined) {
    spec.dataset.version = run.dataset.version;
    spec.dataset.schemaHash = run.dataset.schemaHash;
  }
  spec.ranks = ranksOf(run, spec, job.attempts);
  spec.minRanks = 0;
  delete spec.model;
  spec.labels[reproducesLabel] = run.id;
  return spec;
}

function ranksOf(run: tracking.Run, spec: scheduler.JobSpec, attempts: readonly scheduler.Attempt[]): number {
  const sizes = [...new Set(attempts.map(({ worldSize }) => worldSize).filter((size) => size > 0))];
  if (sizes.length <= 1) return sizes[0] ?? spec.ranks;
  throw new DomainError(
    "failed_precondition",
    "RUN_CHANGED_SIZE",
    `${run.id} ran on ${sizes.join(", then ")} ranks: sums over another number of ranks have other last bits, so it cannot be repeated exactly. Submit it with a fixed number of ranks, and reproduce that run.`,
  );
}

export function noJob(run: tracking.Run): DomainError {
  return new DomainError(
    "failed_precondition",
    "RUN_HAS_NO_JOB",
    `${run.id} was logged from outside: no job made it, so there is nothing that could be submitted again`,
  );
}
