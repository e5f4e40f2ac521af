import { busIdOf } from "./gpu-fault.ts";

/** One GPU as `nvidia-smi` tells; undefined where the device does not support the figure. */
export interface GpuFacts {
  readonly index: number;
  /** "GPU-…": stays with the device. */
  readonly uuid: string;
  readonly model: string;
  readonly memoryBytes: number;
  readonly memoryUsedBytes: number | undefined;
  readonly utilizationPercent: number | undefined;
  readonly temperatureCelsius: number | undefined;
  readonly powerWatts: number | undefined;
  /** Uncorrected ECC errors since the driver was loaded. */
  readonly eccErrors: number | undefined;
  /** Where it is on the bus, as `busIdOf` gives it. */
  readonly busId: string;
}

/** The fields asked for, in the order in which `gpuFrom` reads them. */
export const GPU_QUERY =
  "index,uuid,name,memory.total,memory.used,utilization.gpu,temperature.gpu,power.draw,ecc.errors.uncorrected.volatile.total,pci.bus_id";

const MEBIBYTE = 1024 * 1024;

/** Reads one line of `nvidia-smi --query-gpu=… --format=csv,noheader,nounits`; undefined when it is not one. */
export function gpuFrom(line: string): GpuFacts | undefined {
  const fields = line.split(",").map((field) => field.trim());
  const [index = "", uuid = "", model = "", total = "", used, busy, temperature, power, ecc, bus = ""] =
    fields;
  if (!/^\d+$/.test(index) || uuid === "" || !/^\d+$/.test(total)) return undefined;
  const usedMebibytes = figure(used);
  return {
    index: Number(index),
    uuid,
    model,
    memoryBytes: Number(total) * MEBIBYTE,
    memoryUsedBytes: usedMebibytes === undefined ? undefined : usedMebibytes * MEBIBYTE,
    utilizationPercent: figure(busy),
    temperatureCelsius: figure(temperature),
    powerWatts: figure(power),
    eccErrors: figure(ecc),
    busId: busIdOf(bus),
  };
}

/** "[N/A]", "[Not Supported]" and the like are no figure. */
function figure(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}
