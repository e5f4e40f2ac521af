import { create, type JsonObject } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import type { JobFile } from "./job-schema.ts";

const priorities = {
  low: scheduler.Priority.LOW,
  normal: scheduler.Priority.NORMAL,
  high: scheduler.Priority.HIGH,
} as const;

const frameworks = {
  torch: scheduler.Framework.TORCH,
  process: scheduler.Framework.PROCESS,
} as const;

/** Where an uploaded code bundle is, and where the code came from. */
export interface UploadedCode {
  readonly digest: string;
  readonly sizeBytes: number;
  readonly gitCommit?: string;
  readonly dirtyDiffDigest?: string;
}

/** The spec that is submitted for a job file and its uploaded code. */
export function jobSpec(job: JobFile, code: UploadedCode, source: string): scheduler.JobSpec {
  return create(scheduler.JobSpecSchema, {
    name: job.name,
    queue: job.queue,
    priority: priorities[job.priority],
    experiment: job.experiment ?? job.name,
    framework: frameworks[job.framework],
    ranks: job.ranks,
    slotsPerRank: job.slotsPerRank,
    code: {
      digest: code.digest,
      sizeBytes: BigInt(code.sizeBytes),
      gitCommit: code.gitCommit ?? "",
      dirtyDiffDigest: code.dirtyDiffDigest ?? "",
    },
    entrypoint: job.entrypoint,
    // The schema admits JSON values only.
    params: job.params as JsonObject,
    env: Object.fromEntries(Object.entries(job.env).map(([key, value]) => [key, String(value ?? "")])),
    ...(job.dataset === undefined
      ? {}
      : {
          dataset: {
            name: job.dataset.name,
            version: job.dataset.version,
            schemaHash: job.dataset.schemaHash ?? "",
          },
        }),
    checkpoint: { everySteps: BigInt(job.checkpoint.everySteps), keep: job.checkpoint.keep },
    retries: job.retries,
    seed: BigInt(job.seed),
    ...(job.model === undefined ? {} : { model: { name: job.model.name, suite: job.model.suite ?? "" } }),
    timeoutSeconds: BigInt(job.timeoutSeconds),
    labels: job.labels,
    kind: scheduler.JobKind.TRAINING,
    sourceYaml: source,
  });
}
