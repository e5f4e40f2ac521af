import type { ServiceImpl } from "@connectrpc/connect";
import type { tracking } from "@trainyard/contracts";
import { assertId, assertName } from "@trainyard/domain";
import { actorOf, type Principal, principalOf, requestId } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { invalidField } from "../domain/errors.ts";
import { MAX_FILES_PER_PART, MAX_WORLD_SIZE } from "../domain/limits.ts";
import { awaitRun } from "../operations/await-run.ts";
import { assertFiles } from "../operations/held-blobs.ts";
import { holdCheckpoint } from "../operations/hold-checkpoint.ts";
import { type PartReport, reportCheckpointPart } from "../operations/report-checkpoint-part.ts";
import { kindFromProto } from "../wire/checkpoint-kind.ts";
import { checkpointToProto } from "../wire/checkpoint-to-proto.ts";
import { filesFromProto, metricsFromProto } from "../wire/from-proto.ts";
import { boundedNumber, safeNumber } from "../wire/numbers.ts";
import { assertScheduler } from "./attempts.ts";

type Methods = Pick<
  ServiceImpl<typeof tracking.TrackingService>,
  "reportCheckpointPart" | "listCheckpoints" | "holdCheckpoint"
>;

/** Checkpoints, part by part. */
export function checkpointsApi(deps: Deps): Methods {
  return {
    async reportCheckpointPart(request, context) {
      requestId(request.requestId);
      const report = reportOf(request, principalOf(context));
      assertFiles("part.files", report.part.files, MAX_FILES_PER_PART, "MAX_FILES_PER_PART");
      // (run, attempt, step, rank) is the request's identity: the same part gets the same answer for ever, not for 7 days.
      const checkpoint = await reportCheckpointPart(deps, report);
      return checkpoint === undefined ? {} : { checkpoint: checkpointToProto(checkpoint) };
    },

    async holdCheckpoint(request, context) {
      assertScheduler(principalOf(context));
      const { runId, forRunId, project } = request;
      assertId("run", "run_id", runId);
      assertId("run", "for_run_id", forRunId);
      assertName("project", project);
      const step = request.step === undefined ? undefined : safeNumber("step", request.step);
      const held = await holdCheckpoint(deps, { runId, forRunId, project, step });
      return { checkpoint: checkpointToProto(held) };
    },

    async listCheckpoints(request, context) {
      const run = await awaitRun(deps, request.runId, principalOf(context), context.signal);
      const committed = (await deps.records.checkpoints.ofRun(run.id)).filter(
        ({ state }) => state === "committed",
      );
      committed.sort((a, b) => b.step - a.step || b.attempt - a.attempt);
      return { checkpoints: committed.map(checkpointToProto) };
    },
  };
}

function reportOf(request: tracking.ReportCheckpointPartRequest, agent: Principal): PartReport {
  const { runId, attempt, part } = request;
  if (part === undefined) throw invalidField("part", "is required");
  const worldSize = boundedNumber("world_size", request.worldSize, 1, MAX_WORLD_SIZE);
  return {
    runId,
    attempt,
    nodeId: agent.name,
    actor: actorOf(agent),
    worldSize,
    step: safeNumber("step", request.step),
    kind: kindFromProto(request.kind),
    part: {
      rank: boundedNumber("part.rank", part.rank, 0, worldSize - 1),
      recordsOffset: safeNumber("part.records_offset", part.recordsOffset),
      files: filesFromProto("part.files", part.files),
    },
    metrics: metricsFromProto("metrics", request.metrics),
  };
}
