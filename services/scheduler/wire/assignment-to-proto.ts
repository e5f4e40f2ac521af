import { create } from "@bufbuild/protobuf";
import { workeragent } from "@trainyard/contracts";
import { gangSize } from "../domain/attempt.ts";
import type { DesiredPart } from "../domain/desired-parts.ts";
import { totalBudget } from "../domain/failure-policy.ts";
import { datasetToProto, workToProto } from "./spec-to-proto.ts";

/** What only the caller knows of an assignment. */
export interface AssignmentOptions {
  readonly rankToken: string;
  readonly graceMs: number;
}

/** One thing for a node to do, for the wire. */
export function assignmentToProto(part: DesiredPart, options: AssignmentOptions): workeragent.Assignment {
  return part.kind === "reap" ? reapToProto(part, options) : partToProto(part, options);
}

function reapToProto(
  { unreaped }: Extract<DesiredPart, { kind: "reap" }>,
  { graceMs }: AssignmentOptions,
): workeragent.Assignment {
  return create(workeragent.AssignmentSchema, {
    ...unreaped,
    action: workeragent.AssignmentAction.STOP,
    graceMs,
  });
}

function partToProto(
  part: Extract<DesiredPart, { kind: "part" }>,
  { rankToken, graceMs }: AssignmentOptions,
): workeragent.Assignment {
  const { job, attempt, placement } = part;
  const { spec, dataset, retriesUsed } = job;
  const { resume } = attempt;
  const run = part.action === "run";
  const spent = Object.values(retriesUsed).reduce((sum: number, used: number) => sum + used, 0);
  return create(workeragent.AssignmentSchema, {
    jobId: job.id,
    runId: job.runId,
    project: job.project,
    attempt: attempt.number,
    action: run ? workeragent.AssignmentAction.RUN : workeragent.AssignmentAction.STOP,
    handOver: !run && part.handOver,
    worldSize: gangSize(attempt),
    ranks: placement.ranks.map((rank, localRank) => ({
      rank,
      localRank,
      slots: placement.slots.slice(localRank * spec.slotsPerRank, (localRank + 1) * spec.slotsPerRank),
    })),
    groupRank: part.groupRank,
    groupCount: attempt.placements.length,
    groupNodes: run ? attempt.placements.map(({ nodeId }) => nodeId) : [],
    traceparent: attempt.traceparent ?? job.traceparent ?? "",
    rankToken,
    maxRestarts: totalBudget(spec) - spent,
    graceMs,
    checkpointAtStep: run ? BigInt(Math.max(0, attempt.yielding?.checkpointStep ?? 0)) : 0n,
    // Stopping ranks takes nothing of what starting them took.
    ...(run ? { spec: workToProto(spec) } : {}),
    ...(run && dataset !== undefined ? { dataset: datasetToProto(dataset) } : {}),
    ...(run && resume !== undefined ? { resume: resumeOf(resume) } : {}),
  });
}

function resumeOf({
  checkpointId,
  step,
  files,
}: NonNullable<Extract<DesiredPart, { kind: "part" }>["attempt"]["resume"]>) {
  return {
    checkpointId,
    step: BigInt(step),
    files: files.map(({ sizeBytes, ...file }) => ({ ...file, sizeBytes: BigInt(sizeBytes) })),
  };
}
