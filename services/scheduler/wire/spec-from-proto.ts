import type { scheduler } from "@trainyard/contracts";
import type { JobSpec } from "../domain/job-spec.ts";
import {
  bestModeFromProto,
  frameworkFromProto,
  idleActionFromProto,
  kindFromProto,
  priorityFromProto,
  startModeFromProto,
  workFolderFromProto,
} from "./enums.ts";

const DEFAULT_QUEUE = "default";
const DEFAULT_CHECKPOINTS_KEPT = 3;
const DEFAULT_CHECKPOINT_SECONDS = 900;
/** torch's default for every backend but NCCL, whose ten minutes would end ranks that wait for one that evaluates. */
const DEFAULT_COLLECTIVE_TIMEOUT_SECONDS = 1800;

/**
 * A submitted spec with every default filled in, not yet validated. Integers of 64 bits become numbers: what does not
 * fit is refused by the validation, since it is no safe integer then. An enum value from a newer client counts as unset.
 */
export function specFromProto(spec: scheduler.JobSpec): JobSpec {
  const { code, dataset, model, checkpoint, python, mesh, nodes, ranksPerNode, startFrom } = spec;
  return {
    name: spec.name,
    queue: spec.queue || DEFAULT_QUEUE,
    priority: priorityFromProto(spec.priority) ?? "normal",
    experiment: spec.experiment || spec.name,
    ranks: spec.ranks || nodes * ranksPerNode,
    slotsPerRank: spec.slotsPerRank || 1,
    code: {
      digest: code?.digest ?? "",
      sizeBytes: Number(code?.sizeBytes ?? 0n),
      gitCommit: code?.gitCommit ?? "",
      dirtyDiffDigest: code?.dirtyDiffDigest ?? "",
    },
    entrypoint: spec.entrypoint,
    params: spec.params ?? {},
    env: spec.env,
    checkpoint: checkpointFrom(checkpoint),
    retries: spec.retries,
    seed: Number(spec.seed),
    ...(spec.nondeterministic ? { nondeterministic: true } : {}),
    timeoutSeconds: Number(spec.timeoutSeconds),
    framework: frameworkFromProto(spec.framework) ?? "torch",
    inputs: spec.inputs.map(({ path, digest }) => ({ path, digest })),
    labels: spec.labels,
    kind: kindFromProto(spec.kind) ?? "training",
    sourceYaml: spec.sourceYaml,
    start: startModeFromProto(spec.start) ?? "warm",
    ...(python === undefined ? {} : { python: pythonFrom(python) }),
    ...(mesh === undefined
      ? {}
      : { mesh: { data: mesh.data || 1, tensor: mesh.tensor || 1, pipeline: mesh.pipeline || 1 } }),
    ...(nodes === 0 && ranksPerNode === 0 ? {} : { spread: { nodes, ranksPerNode } }),
    ...(spec.slotKind === "" ? {} : { slotKind: spec.slotKind }),
    ...(spec.minRanks === 0 || spec.minRanks === spec.ranks ? {} : { minRanks: spec.minRanks }),
    ...(spec.failureBudgets === undefined ? {} : { budgets: budgetsFrom(spec.failureBudgets) }),
    ...(spec.haltOnNonFinite.length === 0 ? {} : { haltOnNonFinite: [...spec.haltOnNonFinite] }),
    ...(spec.secrets.length === 0
      ? {}
      : { secrets: spec.secrets.map(({ name, env, file }) => ({ name, env, file })) }),
    ...(spec.limits === undefined ? {} : { limits: limitsFrom(spec.limits) }),
    ...(spec.workFolder === 0 ? {} : { workFolder: workFolderFromProto(spec.workFolder) ?? "shared" }),
    ...(spec.hang === undefined
      ? {}
      : { hang: { off: spec.hang.off, afterSeconds: Number(spec.hang.afterSeconds) } }),
    collectiveTimeoutSeconds: Number(spec.collectiveTimeoutSeconds) || DEFAULT_COLLECTIVE_TIMEOUT_SECONDS,
    ...(spec.idle === undefined
      ? {}
      : {
          idle: {
            afterSeconds: Number(spec.idle.afterSeconds),
            action: idleActionFromProto(spec.idle.action) ?? "warn",
          },
        }),
    ...(dataset === undefined
      ? {}
      : {
          dataset: {
            name: dataset.name,
            version: dataset.version || "latest",
            schemaHash: dataset.schemaHash,
          },
        }),
    ...(model === undefined ? {} : { model: { name: model.name, suite: model.suite } }),
    ...(startFrom === undefined ? {} : { startFrom: startFromWire(startFrom) }),
    ...(spec.dataPaths.length === 0 ? {} : { dataPaths: [...spec.dataPaths] }),
  };
}

function checkpointFrom(wire: scheduler.CheckpointPolicy | undefined): JobSpec["checkpoint"] {
  const everySteps = Number(wire?.everySteps ?? 0n);
  const unlessBySteps = everySteps > 0 ? 0 : DEFAULT_CHECKPOINT_SECONDS;
  const best = wire?.best;
  return {
    everySteps,
    keep: wire?.keep || DEFAULT_CHECKPOINTS_KEPT,
    everySeconds: wire?.everySeconds === undefined ? unlessBySteps : Number(wire.everySeconds),
    ...(best === undefined
      ? {}
      : { best: { metric: best.metric, mode: bestModeFromProto(best.mode) ?? "min", keep: best.keep || 1 } }),
    ...(wire?.stream === true ? { stream: true } : {}),
  };
}

/** The checkpoint's id is the platform's to say. */
function startFromWire({ runId, step }: scheduler.StartFrom): NonNullable<JobSpec["startFrom"]> {
  return { runId, checkpointId: "", ...(step === undefined ? {} : { step: Number(step) }) };
}

function limitsFrom({ memoryBytes, processes, openFiles }: scheduler.RankLimits) {
  return { memoryBytes: Number(memoryBytes), processes, openFiles };
}

function pythonFrom({ interpreter, requirements, isolated }: scheduler.PythonEnvironment) {
  return { interpreter, requirements, isolated };
}

function budgetsFrom(wire: scheduler.FailureBudgets): NonNullable<JobSpec["budgets"]> {
  const { infra, platform, data, preempted } = wire;
  return {
    ...(infra === undefined ? {} : { infra }),
    ...(platform === undefined ? {} : { platform }),
    ...(data === undefined ? {} : { data }),
    ...(preempted === undefined ? {} : { preempted }),
  };
}
