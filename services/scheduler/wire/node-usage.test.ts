import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { scheduler, workeragent } from "@trainyard/contracts";
import { expect, it } from "vitest";
import { nodeUsageFromProto, nodeUsageToProto } from "./node-usage.ts";

const usage = {
  machine: { cpuPercent: 12.5, memoryAvailableBytes: 3n, diskFreeBytes: 2n ** 41n },
  gpus: [
    { index: 0, uuid: "GPU-a", model: "NVIDIA H100", memoryBytes: 85n },
    {
      index: 1,
      uuid: "GPU-b",
      model: "NVIDIA H100",
      memoryBytes: 85n,
      memoryUsedBytes: 0n,
      utilizationPercent: 99,
      temperatureCelsius: 60,
      powerWatts: 700,
      eccErrors: 2n,
      fault: { code: 79, at: timestampFromMs(1_000), message: "GPU has fallen off the bus." },
    },
  ],
  gpuLinks: [{ first: 0, second: 1, kind: "NV18" }],
};

it("tells of a machine what its agent told, and of a figure that is not told nothing", () => {
  const heartbeat = create(workeragent.NodeHeartbeatSchema, usage);
  const told = create(scheduler.NodeSchema, nodeUsageToProto(nodeUsageFromProto(heartbeat)));
  expect(told).toEqual(create(scheduler.NodeSchema, usage));
});

it("keeps no more of it than a machine can have", () => {
  const gpus = Array.from({ length: 1000 }, () => ({ model: "x".repeat(1000) }));
  const kept = nodeUsageFromProto(create(workeragent.NodeHeartbeatSchema, { gpus }));
  expect([kept.gpus.length, kept.gpus[0]?.model.length]).toEqual([64, 128]);
});
