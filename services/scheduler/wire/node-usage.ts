import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { scheduler, workeragent } from "@trainyard/contracts";
import type { Gpu, NodeUsage } from "../domain/heartbeat.ts";

/** GPUs of one node that are kept of a heartbeat, and what connects them. */
const MAX_GPUS = 64;
const MAX_GPU_LINKS = (MAX_GPUS * (MAX_GPUS - 1)) / 2;

/** What a heartbeat tells of its machine. */
export function nodeUsageFromProto({
  machine,
  gpus,
  gpuLinks,
}: Pick<workeragent.NodeHeartbeat, "machine" | "gpus" | "gpuLinks">): NodeUsage {
  return {
    ...(machine === undefined
      ? {}
      : {
          machine: {
            cpuPercent: machine.cpuPercent,
            memoryAvailableBytes: Number(machine.memoryAvailableBytes),
            diskFreeBytes: Number(machine.diskFreeBytes),
          },
        }),
    gpus: gpus.slice(0, MAX_GPUS).map(gpuFrom),
    gpuLinks: gpuLinks
      .slice(0, MAX_GPU_LINKS)
      .map(({ first, second, kind }) => ({ first, second, kind: kind.slice(0, 16) })),
  };
}

function gpuFrom(wire: scheduler.GpuStatus): Gpu {
  const { memoryUsedBytes, utilizationPercent, temperatureCelsius, powerWatts, eccErrors, fault } = wire;
  return {
    index: wire.index,
    uuid: wire.uuid.slice(0, 128),
    model: wire.model.slice(0, 128),
    memoryBytes: Number(wire.memoryBytes),
    ...(memoryUsedBytes === undefined ? {} : { memoryUsedBytes: Number(memoryUsedBytes) }),
    ...(utilizationPercent === undefined ? {} : { utilizationPercent }),
    ...(temperatureCelsius === undefined ? {} : { temperatureCelsius }),
    ...(powerWatts === undefined ? {} : { powerWatts }),
    ...(eccErrors === undefined ? {} : { eccErrors: Number(eccErrors) }),
    ...(fault?.at === undefined
      ? {}
      : { fault: { code: fault.code, at: timestampDate(fault.at), message: fault.message.slice(0, 256) } }),
  };
}

/** What is told of a machine to whoever asks. */
export function nodeUsageToProto({ machine, gpus, gpuLinks }: NodeUsage) {
  return {
    ...(machine === undefined
      ? {}
      : {
          machine: {
            cpuPercent: machine.cpuPercent,
            memoryAvailableBytes: BigInt(machine.memoryAvailableBytes),
            diskFreeBytes: BigInt(machine.diskFreeBytes),
          },
        }),
    gpus: gpus.map(({ memoryBytes, memoryUsedBytes, eccErrors, fault, ...gpu }) => ({
      ...gpu,
      memoryBytes: BigInt(memoryBytes),
      ...(memoryUsedBytes === undefined ? {} : { memoryUsedBytes: BigInt(memoryUsedBytes) }),
      ...(eccErrors === undefined ? {} : { eccErrors: BigInt(eccErrors) }),
      ...(fault === undefined ? {} : { fault: { ...fault, at: timestampFromDate(fault.at) } }),
    })),
    gpuLinks: gpuLinks.map((link) => ({ ...link })),
  };
}
