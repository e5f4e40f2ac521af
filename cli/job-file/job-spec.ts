import { create, type JsonObject } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import { bytesOf } from "./byte-size.ts";
import { secondsOf } from "./duration.ts";
import type { JobFile } from "./job-schema.ts";

const priorities = {
  low: scheduler.Priority.LOW,
  normal: scheduler.Priority.NORMAL,
  high: scheduler.Priority.HIGH,
} as const;

const frameworks = {
  torch: scheduler.Framework.TORCH,
  process: scheduler.Framework.PROCESS,
  tensorflow: scheduler.Framework.TENSORFLOW,
} as const;

const workFolders = {
  shared: scheduler.WorkFolder.SHARED,
  "per-rank": scheduler.WorkFolder.PER_RANK,
} as const;

const startModes = { warm: scheduler.StartMode.WARM, cold: scheduler.StartMode.COLD } as const;

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
    ...gang(job),
    start: startModes[job.start],
    ...(job.python === undefined ? {} : { python: python(job.python) }),
    ...(job.mesh === undefined ? {} : { mesh: job.mesh }),
    slotsPerRank: job.slotsPerRank,
    slotKind: job.slotKind ?? "",
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
    ...(job.limits === undefined ? {} : { limits: limits(job.limits) }),
    workFolder: workFolders[job.workFolder],
    secrets: job.secrets.map(({ name, env = "", file = "" }) => ({ name, env, file })),
    ...(job.dataset === undefined
      ? {}
      : {
          dataset: {
            name: job.dataset.name,
            version: job.dataset.version,
            schemaHash: job.dataset.schemaHash ?? "",
          },
        }),
    dataPaths: job.data?.paths ?? [],
    checkpoint: checkpoint(job.checkpoint),
    retries: job.retries,
    seed: BigInt(job.seed),
    nondeterministic: !job.deterministic,
    ...(job.model === undefined ? {} : { model: { name: job.model.name, suite: job.model.suite ?? "" } }),
    timeoutSeconds: BigInt(job.timeoutSeconds),
    ...failurePolicies(job),
    labels: job.labels,
    kind: scheduler.JobKind.TRAINING,
    sourceYaml: source,
  });
}

function limits({ memory, processes = 0, openFiles = 0 }: NonNullable<JobFile["limits"]>) {
  return { memoryBytes: BigInt(memory === undefined ? 0 : (bytesOf(memory) ?? 0)), processes, openFiles };
}

/** The number of ranks: as given, or what nodes or mesh make it. That they agree is for the scheduler to check. */
export function ranksOf({ ranks, nnodes, nprocPerNode, mesh }: JobFile): number {
  if (ranks !== undefined) return typeof ranks === "number" ? ranks : ranks.max;
  if (nnodes !== undefined || nprocPerNode !== undefined) return (nnodes ?? 1) * (nprocPerNode ?? 1);
  return mesh === undefined ? 1 : mesh.data * mesh.tensor * mesh.pipeline;
}

function gang(job: JobFile) {
  const { nnodes, nprocPerNode } = job;
  const minRanks = typeof job.ranks === "object" ? job.ranks.min : 0;
  if (nnodes === undefined && nprocPerNode === undefined) return { ranks: ranksOf(job), minRanks };
  return { ranks: ranksOf(job), minRanks, nodes: nnodes ?? 1, ranksPerNode: nprocPerNode ?? 1 };
}

const bestModes = { min: scheduler.BestMode.MIN, max: scheduler.BestMode.MAX } as const;

function checkpoint({ everySteps, every, best, keep, stream }: JobFile["checkpoint"]) {
  return {
    everySteps: BigInt(everySteps),
    keep,
    stream,
    ...(every === undefined ? {} : { everySeconds: BigInt(secondsOf(every)) }),
    ...(best === undefined ? {} : { best: { ...best, mode: bestModes[best.mode] } }),
  };
}

function python({ interpreter, requirements, isolated }: NonNullable<JobFile["python"]>) {
  return { interpreter: interpreter ?? "", requirements: requirements ?? "", isolated };
}

const idleActions = {
  warn: scheduler.IdleAction.WARN,
  checkpoint: scheduler.IdleAction.CHECKPOINT,
  release: scheduler.IdleAction.RELEASE,
} as const;

function failurePolicies({ failureBudgets, haltOnNonFinite, hang, collectiveTimeout, idle }: JobFile) {
  return {
    haltOnNonFinite,
    ...(failureBudgets === undefined ? {} : { failureBudgets: definedOf(failureBudgets) }),
    ...(hang === undefined
      ? {}
      : { hang: hang === "off" ? { off: true } : { afterSeconds: BigInt(hang.afterSeconds) } }),
    ...(collectiveTimeout === undefined
      ? {}
      : { collectiveTimeoutSeconds: BigInt(secondsOf(collectiveTimeout)) }),
    ...(idle === undefined
      ? {}
      : { idle: { afterSeconds: BigInt(idle.afterSeconds), action: idleActions[idle.action] } }),
  };
}

function definedOf(budgets: NonNullable<JobFile["failureBudgets"]>): Record<string, number> {
  const entries = Object.entries(budgets).filter(
    (entry): entry is [string, number] => entry[1] !== undefined,
  );
  return Object.fromEntries(entries);
}
