import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { workeragent } from "@trainyard/contracts";
import type { NonFinite, RankExit, RankReport, StepTiming } from "../domain/attempt.ts";
import type { Heartbeat, PartReport, PartStart } from "../domain/heartbeat.ts";
import { lifecycleFromProto, phaseFromProto } from "./enums.ts";
import { nodeUsageFromProto } from "./node-usage.ts";

/** Slots that one node may claim to have. */
export const MAX_NODE_SLOTS = 1024;
/** Attempts that one heartbeat may list. */
export const MAX_REPORTED_ATTEMPTS = 4096;
/** The end of a traceback that is kept, in characters. */
export const MAX_TRACEBACK_LENGTH = 4096;
/** The reason for a cold start that is kept, in characters. */
export const MAX_COLD_REASON_LENGTH = 512;
/** Characters kept of a metric's name. */
const MAX_METRIC_KEY_LENGTH = 512;
/** Characters kept of what a rank says it does. */
const MAX_PHASE_LENGTH = 64;
/** A node's id is one token of a subject and of a key. */
const NODE_ID = /^[A-Za-z0-9_-]{1,128}$/;

/** A heartbeat that cannot be used; the message says why. */
export class HeartbeatError extends Error {
  override readonly name = "HeartbeatError";
}

/** A heartbeat in the domain's words. Throws HeartbeatError for one that no agent of ours would send. */
export function heartbeatFromProto(wire: workeragent.NodeHeartbeat): Heartbeat {
  if (!NODE_ID.test(wire.nodeId)) throw new HeartbeatError("node_id is not one subject token");
  if (wire.slots < 0 || wire.slots > MAX_NODE_SLOTS) {
    throw new HeartbeatError(`${wire.slots} slots; the limit (MAX_NODE_SLOTS) is ${MAX_NODE_SLOTS}`);
  }
  if (wire.attempts.length > MAX_REPORTED_ATTEMPTS) {
    throw new HeartbeatError(`${wire.attempts.length} attempts; the limit is ${MAX_REPORTED_ATTEMPTS}`);
  }
  const lifecycle = lifecycleFromProto(wire.lifecycle);
  return {
    protocolVersion: wire.protocolVersion,
    nodeId: wire.nodeId,
    agentInstance: wire.agentInstance,
    sequence: Number(wire.sequence),
    agentVersion: wire.agentVersion,
    slots: wire.slots,
    slotKind: wire.slotKind,
    labels: wire.labels,
    address: wire.address,
    cpuCount: wire.cpuCount,
    memoryBytes: Number(wire.memoryBytes),
    applied: { epoch: Number(wire.appliedEpoch), generation: Number(wire.appliedGeneration) },
    parts: wire.attempts.flatMap(partOf),
    usage: nodeUsageFromProto(wire),
    ...(lifecycle === undefined ? {} : { lifecycle }),
    ...(wire.drainWithinMs > 0n ? { drainWithinMs: Number(wire.drainWithinMs) } : {}),
  };
}

/** A phase that this version does not know is left out: the part then counts as not heard of. */
function partOf(status: workeragent.AttemptStatus): PartReport[] {
  const phase = phaseFromProto(status.phase);
  if (phase === undefined) return [];
  const { jobId, attempt, failureReason, failureMessage, nonFinite } = status;
  const failureTail = status.failureTail.slice(-MAX_TRACEBACK_LENGTH);
  const start = startOf(status);
  const ranks = status.ranks.map(rankOf);
  const optional = {
    ...(failureTail === "" ? {} : { failureTail }),
    ...(start === undefined ? {} : { start }),
    ...(nonFinite === undefined ? {} : { nonFinite: nonFiniteOf(nonFinite) }),
    ...(status.handingOver ? { handingOver: true } : {}),
    ...(status.collectiveTimedOut ? { collectiveTimedOut: true } : {}),
  };
  return [{ jobId, attempt, phase, ranks, failureReason, failureMessage, ...optional }];
}

function startOf({ start, coldReason }: workeragent.AttemptStatus): PartStart | undefined {
  if (start === "warm") return { mode: "warm", coldReason: "" };
  if (start !== "cold") return undefined;
  return { mode: "cold", coldReason: coldReason.slice(0, MAX_COLD_REASON_LENGTH) };
}

function nonFiniteOf({ key, step, rank, value }: workeragent.NonFiniteMetric): NonFinite {
  return { key: key.slice(0, MAX_METRIC_KEY_LENGTH), step: Number(step), rank, value: String(value) };
}

function rankOf(status: workeragent.RankStatus): RankReport {
  const { rank, startedAt, firstStepAt, lastStep, exit, usage, phase, checkpointStep, timing } = status;
  return {
    ...(usage === undefined ? {} : { busyPercent: Math.max(usage.cpuPercent, usage.gpuPercent ?? 0) }),
    ...(phase === "" ? {} : { phase: phase.slice(0, MAX_PHASE_LENGTH) }),
    ...(checkpointStep === undefined ? {} : { checkpointStep: Number(checkpointStep) }),
    ...(timing === undefined ? {} : { timing: timingOf(timing) }),
    rank,
    lastStep: Number(lastStep),
    ...(startedAt === undefined ? {} : { startedAt: timestampDate(startedAt) }),
    ...(firstStepAt === undefined ? {} : { firstStepAt: timestampDate(firstStepAt) }),
    ...(exit === undefined ? {} : { exit: exitOf(exit) }),
  };
}

function timingOf(timing: workeragent.StepTiming): StepTiming {
  const { seconds, dataSeconds, computeSeconds, communicationSeconds, checkpointSeconds } = timing;
  return { seconds, dataSeconds, computeSeconds, communicationSeconds, checkpointSeconds };
}

function exitOf({ code, signal, at, order, tracebackTail, outOfMemory }: workeragent.RankExit): RankExit {
  return {
    ...(outOfMemory ? { outOfMemory } : {}),
    code,
    signal,
    order,
    at: at === undefined ? new Date(0) : timestampDate(at),
    tracebackTail: tracebackTail.slice(-MAX_TRACEBACK_LENGTH),
  };
}
