import { scheduler } from "@trainyard/contracts";
import { word } from "../follow/words.ts";
import type { Session } from "../session.ts";
import { formatBytes } from "../terminal/bytes.ts";
import { style } from "../terminal/style.ts";
import type { Column } from "../terminal/table.ts";

/** Lists the fleet. */
export async function nodes(session: Session): Promise<void> {
  const { scheduler: client } = await session.clients();
  const response = await client.listNodes({});
  if (session.json) {
    session.printMessage(scheduler.ListNodesResponseSchema, response);
    return;
  }
  const columns: Column<scheduler.Node>[] = [
    { title: "node", cell: (node) => node.id },
    {
      title: "state",
      cell: (node) => word(scheduler.NodeState, node.state),
      paint: (text, node) => (node.state === scheduler.NodeState.READY ? style.good(text) : style.bad(text)),
    },
    { title: "slots", cell: (node) => `${node.slotsUsed} of ${node.slots} used` },
    { title: "kind", cell: (node) => node.slotKind },
    { title: "cores", cell: (node) => String(node.cpuCount) },
    { title: "memory", cell: (node) => formatBytes(node.memoryBytes) },
    { title: "address", cell: (node) => node.address },
    { title: "heard of", cell: (node) => session.time(node.lastHeartbeatAt) },
  ];
  session.printTable(columns, response.nodes, "No nodes: no agent has ever joined.");
}

/** Lists the queues. */
export async function queues(session: Session): Promise<void> {
  const { scheduler: client } = await session.clients();
  const response = await client.listQueues({});
  if (session.json) {
    session.printMessage(scheduler.ListQueuesResponseSchema, response);
    return;
  }
  const columns: Column<scheduler.Queue>[] = [
    { title: "queue", cell: (queue) => queue.name },
    { title: "waiting", cell: (queue) => String(queue.waiting) },
    { title: "running", cell: (queue) => String(queue.running) },
    { title: "slots used", cell: (queue) => String(queue.slotsUsed) },
  ];
  session.printTable(columns, response.queues, "No queues.");
}
