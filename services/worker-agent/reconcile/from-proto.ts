import { scheduler, workeragent } from "@trainyard/contracts";
import type { Assignment, Work } from "../domain/assignment.ts";

/** Between asking ranks to end and killing them, where the scheduler told nothing. */
const DEFAULT_GRACE_MS = 10_000;
/** The SDK's own default. */
const DEFAULT_CHECKPOINT_EVERY_STEPS = 0;

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
    worldSize: message.worldSize,
    ranks: message.ranks.map(({ rank, localRank, slots }) => ({ rank, localRank, slots })),
    groupRank: message.groupRank,
    groupCount: message.groupCount,
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
    graceMs: message.graceMs > 0 ? message.graceMs : DEFAULT_GRACE_MS,
  };
}

function workFrom(spec: scheduler.JobSpec | undefined): Work {
  return {
    codeDigest: spec?.code?.digest ?? "",
    entrypoint: spec?.entrypoint ?? [],
    paramsJson: spec?.params === undefined ? "{}" : JSON.stringify(spec.params),
    env: spec?.env ?? {},
    framework: spec?.framework === scheduler.Framework.PROCESS ? "process" : "torch",
    checkpointEverySteps: Number(spec?.checkpoint?.everySteps ?? DEFAULT_CHECKPOINT_EVERY_STEPS),
    seed: String(spec?.seed ?? 0n),
    inputs: (spec?.inputs ?? []).map(({ path, digest }) => ({ path, digest })),
  };
}
