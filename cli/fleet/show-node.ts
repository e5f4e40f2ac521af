import { scheduler } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { word } from "../follow/words.ts";
import type { Session } from "../session.ts";
import { formatBytes } from "../terminal/bytes.ts";
import type { Column } from "../terminal/table.ts";

/** Shows one machine: what it is, what it uses now, and its GPUs. */
export async function showNode(session: Session, nodeId: string): Promise<void> {
  const { scheduler: client } = await session.clients();
  const { nodes } = await client.listNodes({});
  const node = nodes.find(({ id }) => id === nodeId);
  if (node === undefined) {
    const known = nodes.map(({ id }) => id).join(", ") || "none";
    throw new DomainError("not_found", "NODE_NOT_FOUND", `There is no node ${nodeId}; there are: ${known}.`);
  }
  if (session.json) {
    session.printMessage(scheduler.NodeSchema, node);
    return;
  }
  for (const [title, text] of facts(session, node)) session.print(`${title.padEnd(10)} ${text}`);
  if (node.gpus.length === 0) return;
  session.print("");
  session.printTable(gpuColumns(session), node.gpus, "");
  if (node.gpuLinks.length === 0) return;
  session.print("");
  const links: Column<scheduler.GpuLink>[] = [
    { title: "gpus", cell: ({ first, second }) => `${first} and ${second}` },
    { title: "link", cell: ({ kind }) => kind },
  ];
  session.printTable(links, node.gpuLinks, "");
}

function facts(session: Session, node: scheduler.Node): readonly (readonly [string, string])[] {
  const { machine, labels } = node;
  const used =
    machine === undefined
      ? [["uses", "unknown: nothing has been heard of it for a while"] as const]
      : [
          ["cpu", `${machine.cpuPercent.toFixed(0)} % of ${node.cpuCount} cores`] as const,
          [
            "memory",
            `${formatBytes(machine.memoryAvailableBytes)} of ${formatBytes(node.memoryBytes)} available`,
          ] as const,
          ["disk", `${formatBytes(machine.diskFreeBytes)} free for attempts and caches`] as const,
        ];
  return [
    ["node", node.id],
    ["state", `${word(scheduler.NodeState, node.state)}${node.unusable === "" ? "" : `: ${node.unusable}`}`],
    ["slots", `${node.slotsUsed} of ${node.slots} used, kind ${node.slotKind}`],
    ["address", node.address],
    ["agent", `version ${node.agentVersion}, protocol ${node.protocolVersion}`],
    [
      "labels",
      Object.entries(labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(", ") || "none",
    ],
    ...used,
    ["heard of", session.time(node.lastHeartbeatAt)],
    ["since", session.time(node.createdAt)],
  ];
}

function gpuColumns(session: Session): Column<scheduler.GpuStatus>[] {
  const figure = (value: number | undefined, unit: string) =>
    value === undefined ? "" : `${value.toFixed(0)} ${unit}`;
  return [
    { title: "gpu", cell: (gpu) => String(gpu.index) },
    { title: "model", cell: (gpu) => gpu.model },
    { title: "uuid", cell: (gpu) => gpu.uuid },
    {
      title: "memory",
      cell: ({ memoryUsedBytes: used, memoryBytes }) =>
        `${used === undefined ? "?" : formatBytes(used)} of ${formatBytes(memoryBytes)}`,
    },
    { title: "busy", cell: (gpu) => figure(gpu.utilizationPercent, "%") },
    { title: "heat", cell: (gpu) => figure(gpu.temperatureCelsius, "°C") },
    { title: "power", cell: (gpu) => figure(gpu.powerWatts, "W") },
    { title: "ecc", cell: (gpu) => gpu.eccErrors?.toString() ?? "" },
    {
      title: "last error",
      cell: ({ fault }) =>
        fault === undefined ? "" : `Xid ${fault.code} at ${session.time(fault.at)}: ${fault.message}`,
    },
  ];
}
