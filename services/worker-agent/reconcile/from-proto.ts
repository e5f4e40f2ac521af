import { scheduler, workeragent } from "@trainyard/contracts";
import type { Assignment, PythonWish, Work } from "../domain/assignment.ts";

/** Between asking ranks to end and killing them, where the scheduler told nothing. */
const DEFAULT_GRACE_MS = 10_000;

/** An assignment off the wire as the domain knows it. */
export function assignmentFrom(message: workeragent.Assignment): Assignment {
  const { dataset, resume } = message;
  return {
    jobId: message.jobId,
    runId: message.runId,
    project: message.project,
    attempt: message.attempt,
    // Whatever is not a stop runs on: only an explicit word ends ranks.
    action: message.action === workeragent.AssignmentAction.STOP ? "stop" : "run",
    ...(message.handOver ? { handOver: true } : {}),
    worldSize: message.worldSize,
    ranks: message.ranks.map(({ rank, localRank, slots }) => ({ rank, localRank, slots })),
    groupRank: message.groupRank,
    groupCount: message.groupCount,
    groupNodes: message.groupNodes,
    work: workFrom(message.spec),
    ...(dataset === undefined ? {} : { datasetManifestDigest: dataset.manifestDigest }),
    ...(resume === undefined
      ? {}
      : {
          resume: resume.files.map(({ rank, path, digest, sizeBytes }) => ({
            rank,
            path,
            digest,
            sizeBytes: Number(sizeBytes),
          })),
        }),
    traceparent: message.traceparent,
    rankToken: message.rankToken,
    maxRestarts: message.maxRestarts,
    ...(message.checkpointAtStep > 0n ? { checkpointAtStep: Number(message.checkpointAtStep) } : {}),
    graceMs: message.graceMs > 0 ? message.graceMs : DEFAULT_GRACE_MS,
  };
}

function workFrom(spec: scheduler.JobSpec | undefined): Work {
  return {
    codeDigest: spec?.code?.digest ?? "",
    entrypoint: spec?.entrypoint ?? [],
    paramsJson: spec?.params === undefined ? "{}" : JSON.stringify(spec.params),
    env: spec?.env ?? {},
    framework: frameworkFrom(spec?.framework),
    start: spec?.start === scheduler.StartMode.COLD ? "cold" : "warm",
    checkpoint: checkpointFrom(spec?.checkpoint),
    collectiveTimeoutSeconds: Number(spec?.collectiveTimeoutSeconds ?? 0n),
    seed: String(spec?.seed ?? 0n),
    deterministic: spec?.nondeterministic !== true,
    haltOnNonFinite: spec?.haltOnNonFinite ?? [],
    limits: {
      memoryBytes: Number(spec?.limits?.memoryBytes ?? 0n),
      processes: spec?.limits?.processes ?? 0,
      openFiles: spec?.limits?.openFiles ?? 0,
    },
    ownFolders: spec?.workFolder === scheduler.WorkFolder.PER_RANK,
    inputs: (spec?.inputs ?? []).map(({ path, digest }) => ({ path, digest })),
    secrets: (spec?.secrets ?? []).map(({ name, env, file }) => ({ name, env, file })),
    dataPaths: spec?.dataPaths ?? [],
    ...pythonFrom(spec),
    ...(spec?.mesh === undefined ? {} : { mesh: axesOf(spec.mesh) }),
  };
}

function checkpointFrom(policy: scheduler.CheckpointPolicy | undefined): Work["checkpoint"] {
  const best = policy?.best;
  return {
    everySteps: Number(policy?.everySteps ?? 0n),
    everySeconds: Number(policy?.everySeconds ?? 0n),
    stream: policy?.stream ?? false,
    ...(best === undefined
      ? {}
      : { best: { metric: best.metric, mode: best.mode === scheduler.BestMode.MAX ? "max" : "min" } }),
  };
}

function frameworkFrom(framework: scheduler.Framework | undefined): Work["framework"] {
  switch (framework) {
    case scheduler.Framework.PROCESS:
      return "process";
    case scheduler.Framework.TENSORFLOW:
      return "tensorflow";
    default:
      return "torch";
  }
}

/** The variable is how torchrun is told the interpreter. */
function pythonFrom(spec: scheduler.JobSpec | undefined): { readonly python?: PythonWish } {
  const { requirements = "", isolated = false, interpreter: named = "" } = spec?.python ?? {};
  const interpreter = named || (spec?.env.PYTHON_EXEC ?? "");
  return interpreter === "" && requirements === "" ? {} : { python: { interpreter, requirements, isolated } };
}

function axesOf({ data, tensor, pipeline }: scheduler.Mesh) {
  return { data, tensor, pipeline };
}
