import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { workeragent } from "@trainyard/contracts";
import type { AttemptPhase } from "../domain/attempt-phase.ts";
import type { GpuFacts } from "../domain/gpu-facts.ts";
import type { GpuFault } from "../domain/gpu-fault.ts";
import type { NonFinite } from "../domain/non-finite.ts";
import type { RankUsage } from "../domain/rank-usage.ts";
import type { AttemptStatus, RankStatus } from "../ranks/attempt-status.ts";
import type { MachineUsage } from "./machine-usage.ts";

const phases: Readonly<Record<AttemptPhase, workeragent.AttemptPhase>> = {
  preparing: workeragent.AttemptPhase.PREPARING,
  starting: workeragent.AttemptPhase.STARTING,
  running: workeragent.AttemptPhase.RUNNING,
  stopping: workeragent.AttemptPhase.STOPPING,
  flushing: workeragent.AttemptPhase.FLUSHING,
  finalized: workeragent.AttemptPhase.FINALIZED,
  failed_to_start: workeragent.AttemptPhase.FAILED_TO_START,
};

/** Tracebacks per attempt: of the ranks that ended first, where the cause is. A heartbeat has to fit one message. */
const MAX_TAILS = 4;

/** An attempt's status as the heartbeat carries it. */
export function attemptStatusMessage(status: AttemptStatus): workeragent.AttemptStatus {
  return create(workeragent.AttemptStatusSchema, {
    jobId: status.jobId,
    runId: status.runId,
    attempt: status.attempt,
    handingOver: status.handingOver,
    collectiveTimedOut: status.collectiveTimedOut,
    phase: phases[status.phase],
    ranks: status.ranks.map(rankMessage),
    failureReason: status.failure?.reason ?? "",
    failureMessage: status.failure?.message ?? "",
    failureTail: status.failure?.tail ?? "",
    start: status.start?.start ?? "",
    ...(status.nonFinite === undefined ? {} : { nonFinite: nonFiniteMessage(status.nonFinite) }),
    coldReason: status.start?.start === "cold" ? status.start.reason : "",
  });
}

function rankMessage(status: RankStatus): workeragent.RankStatus {
  const { exit } = status;
  return create(workeragent.RankStatusSchema, {
    rank: status.rank,
    pid: status.pid,
    lastStep: BigInt(status.lastStep),
    phase: status.phase,
    ...(status.checkpointStep === undefined ? {} : { checkpointStep: BigInt(status.checkpointStep) }),
    ...(status.startedAtMs === undefined ? {} : { startedAt: timestamp(status.startedAtMs) }),
    ...(status.firstStepAtMs === undefined ? {} : { firstStepAt: timestamp(status.firstStepAtMs) }),
    ...(exit === undefined ? {} : { exit: exitMessage(exit) }),
    ...(status.usage === undefined ? {} : { usage: usageMessage(status.usage) }),
    ...(status.timing === undefined ? {} : { timing: { ...status.timing } }),
  });
}

function nonFiniteMessage({ key, step, rank, value }: NonFinite) {
  return { key, step: BigInt(step), rank, value };
}

function usageMessage({ memoryBytes, gpuMemoryBytes, ...rates }: RankUsage) {
  const gpuMemory = gpuMemoryBytes === undefined ? {} : { gpuMemoryBytes: BigInt(gpuMemoryBytes) };
  return { ...rates, memoryBytes: BigInt(memoryBytes), ...gpuMemory };
}

/** What the whole machine uses, as the heartbeat carries it. */
export function machineMessage({ cpuPercent, memoryAvailableBytes, diskFreeBytes }: MachineUsage) {
  return {
    cpuPercent,
    memoryAvailableBytes: BigInt(memoryAvailableBytes),
    diskFreeBytes: BigInt(diskFreeBytes),
  };
}

/** A GPU as the heartbeat carries it. */
export function gpuMessage(gpu: GpuFacts, fault: GpuFault | undefined) {
  const { index, uuid, model, memoryUsedBytes, utilizationPercent, temperatureCelsius } = gpu;
  return {
    index,
    uuid,
    model,
    memoryBytes: BigInt(gpu.memoryBytes),
    ...(memoryUsedBytes === undefined ? {} : { memoryUsedBytes: BigInt(memoryUsedBytes) }),
    ...(utilizationPercent === undefined ? {} : { utilizationPercent }),
    ...(temperatureCelsius === undefined ? {} : { temperatureCelsius }),
    ...(gpu.powerWatts === undefined ? {} : { powerWatts: gpu.powerWatts }),
    ...(fault === undefined
      ? {}
      : { fault: { code: fault.code, at: timestamp(fault.atMs), message: fault.message } }),
    ...(gpu.eccErrors === undefined ? {} : { eccErrors: BigInt(gpu.eccErrors) }),
  };
}

function exitMessage(exit: NonNullable<RankStatus["exit"]>) {
  const { code, signal, order, atMs, tracebackTail, outOfMemory = false } = exit;
  return {
    code,
    signal,
    order,
    outOfMemory,
    at: timestamp(atMs),
    tracebackTail: order > MAX_TAILS ? "" : tracebackTail,
  };
}

/** A rank's clock may say anything; what no timestamp can hold would spoil the heartbeat of the whole node. */
function timestamp(ms: number) {
  const latest = Date.UTC(9999, 0);
  return timestampFromMs(Math.round(Math.min(latest, Math.max(0, Number.isFinite(ms) ? ms : 0))));
}
