import { expect, it } from "vitest";
import { gpuFrom } from "./gpu-facts.ts";

it("reads a GPU's line", () => {
  const line = "1, GPU-8f1c, NVIDIA H100 80GB HBM3, 81559, 1024, 97, 41, 312.55, 0, 00000000:3B:00.0";
  expect(gpuFrom(line)).toEqual({
    index: 1,
    uuid: "GPU-8f1c",
    model: "NVIDIA H100 80GB HBM3",
    memoryBytes: 81559 * 1024 * 1024,
    memoryUsedBytes: 1024 * 1024 * 1024,
    utilizationPercent: 97,
    temperatureCelsius: 41,
    powerWatts: 312.55,
    eccErrors: 0,
    busId: "0000:3b:00",
  });
});

it("knows what a device does not tell", () => {
  const line = "0, GPU-1, NVIDIA GeForce RTX 3090, 24576, 5, 0, 30, [N/A], [Not Supported]";
  expect(gpuFrom(line)).toMatchObject({ powerWatts: undefined, eccErrors: undefined, utilizationPercent: 0 });
});

it.each(["", "No devices were found", "Failed to initialize NVML: Driver/library version mismatch"])(
  "takes %j for no GPU",
  (line) => {
    expect(gpuFrom(line)).toBeUndefined();
  },
);
