import { create, type JsonObject, type MessageInitShape } from "@bufbuild/protobuf";
import { scheduler } from "@trainyard/contracts";
import type { JobSpec, ResolvedDataset } from "../domain/job-spec.ts";
import {
  bestModeToProto,
  frameworkToProto,
  idleActionToProto,
  kindToProto,
  priorityToProto,
  startModeToProto,
  workFolderToProto,
} from "./enums.ts";

type SpecInit = MessageInitShape<typeof scheduler.JobSpecSchema>;

/** A spec for the wire. */
export function specToProto(spec: JobSpec): scheduler.JobSpec {
  const init: SpecInit = {
    name: spec.name,
    queue: spec.queue,
    priority: priorityToProto[spec.priority],
    experiment: spec.experiment,
    ranks: spec.ranks,
    slotsPerRank: spec.slotsPerRank,
    code: { ...spec.code, sizeBytes: BigInt(spec.code.sizeBytes) },
    entrypoint: [...spec.entrypoint],
    // The domain's JSON is read-only, the generated type is not; nobody writes to it.
    params: spec.params as JsonObject,
    env: { ...spec.env },
    checkpoint: checkpointInit(spec.checkpoint),
    retries: spec.retries,
    seed: BigInt(spec.seed),
    nondeterministic: spec.nondeterministic ?? false,
    timeoutSeconds: BigInt(spec.timeoutSeconds),
    framework: frameworkToProto[spec.framework],
    inputs: spec.inputs.map((input) => ({ ...input })),
    labels: { ...spec.labels },
    kind: kindToProto[spec.kind],
    sourceYaml: spec.sourceYaml,
    start: startModeToProto[spec.start ?? "warm"],
    ...(spec.python === undefined ? {} : { python: { ...spec.python } }),
    ...(spec.mesh === undefined ? {} : { mesh: { ...spec.mesh } }),
    ...(spec.spread ?? {}),
    slotKind: spec.slotKind ?? "",
    minRanks: spec.minRanks ?? 0,
    ...(spec.limits === undefined
      ? {}
      : { limits: { ...spec.limits, memoryBytes: BigInt(spec.limits.memoryBytes) } }),
    workFolder: workFolderToProto[spec.workFolder ?? "shared"],
    secrets: (spec.secrets ?? []).map((secret) => ({ ...secret })),
    haltOnNonFinite: [...(spec.haltOnNonFinite ?? [])],
    ...(spec.budgets === undefined ? {} : { failureBudgets: { ...spec.budgets } }),
    ...(spec.hang === undefined
      ? {}
      : { hang: { off: spec.hang.off, afterSeconds: BigInt(spec.hang.afterSeconds) } }),
    collectiveTimeoutSeconds: BigInt(spec.collectiveTimeoutSeconds ?? 0),
    ...(spec.idle === undefined
      ? {}
      : {
          idle: {
            afterSeconds: BigInt(spec.idle.afterSeconds),
            action: idleActionToProto[spec.idle.action],
          },
        }),
    ...(spec.dataset === undefined ? {} : { dataset: { ...spec.dataset } }),
    ...(spec.model === undefined ? {} : { model: { ...spec.model } }),
    ...(spec.startFrom === undefined ? {} : { startFrom: startFromInit(spec.startFrom) }),
    dataPaths: [...(spec.dataPaths ?? [])],
  };
  return create(scheduler.JobSpecSchema, init);
}

function checkpointInit({ everySteps, keep, everySeconds = 0, best, stream = false }: JobSpec["checkpoint"]) {
  return {
    everySteps: BigInt(everySteps),
    keep,
    everySeconds: BigInt(everySeconds),
    stream,
    ...(best === undefined ? {} : { best: { ...best, mode: bestModeToProto[best.mode] } }),
  };
}

function startFromInit({ step, ...rest }: NonNullable<JobSpec["startFrom"]>) {
  return { ...rest, ...(step === undefined ? {} : { step: BigInt(step) }) };
}

/** What a node needs of a spec to run its ranks: no more than that travels with each change of the node's orders. */
export function workToProto(spec: JobSpec): scheduler.JobSpec {
  const { code, entrypoint, params, env, checkpoint, seed, framework, inputs } = specToProto(spec);
  const { start, python, mesh, haltOnNonFinite, secrets, nondeterministic, limits, workFolder, dataPaths } =
    specToProto(spec);
  const { collectiveTimeoutSeconds } = specToProto(spec);
  const own = { code, entrypoint, params, env, checkpoint, seed, framework, inputs };
  const work = {
    ...own,
    start,
    python,
    mesh,
    haltOnNonFinite,
    secrets,
    nondeterministic,
    limits,
    workFolder,
    dataPaths,
    collectiveTimeoutSeconds,
  };
  return create(scheduler.JobSpecSchema, work as SpecInit); // Absent members stay absent.
}

/** The dataset version a job was given, for the wire. */
export function datasetToProto(dataset: ResolvedDataset): scheduler.ResolvedDataset {
  return create(scheduler.ResolvedDatasetSchema, { ...dataset });
}
