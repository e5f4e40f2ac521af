import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { scheduler } from "@trainyard/contracts";
import { retryUnavailable } from "../client/retry.ts";
import { word } from "../follow/words.ts";
import type { Session } from "../session.ts";
import { formatBytes } from "../terminal/bytes.ts";
import { style } from "../terminal/style.ts";
import type { Column } from "../terminal/table.ts";
import { timestampMs } from "../terminal/time.ts";

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
    {
      title: "duty",
      cell: dutyWord,
      paint: (text, node) => (node.unusable === "" ? text : style.warn(text)),
    },
    { title: "slots", cell: (node) => `${node.slotsUsed} of ${node.slots} used` },
    { title: "kind", cell: (node) => node.slotKind },
    { title: "cores", cell: (node) => String(node.cpuCount) },
    { title: "memory", cell: (node) => formatBytes(node.memoryBytes) },
    { title: "address", cell: (node) => node.address },
    { title: "heard of", cell: (node) => session.time(node.lastHeartbeatAt) },
    { title: "note", cell: (node) => noteOn(session, node) },
  ];
  session.printTable(columns, response.nodes, "No nodes: no agent has ever joined.");
}

function dutyWord(node: scheduler.Node): string {
  const isCooling = node.cooldown?.until !== undefined && timestampMs(node.cooldown.until) > Date.now();
  if (node.duty > scheduler.NodeDuty.OPEN) return word(scheduler.NodeDuty, node.duty);
  return isCooling ? "cooling down" : "open";
}

/** Why nothing new is placed there, and by when that changes. */
function noteOn(session: Session, node: scheduler.Node): string {
  const { drainDeadlineAt, cooldown } = node;
  const deadline = drainDeadlineAt === undefined ? "" : `; stopped at ${session.time(drainDeadlineAt)}`;
  if (node.unusable !== "") return `${node.unusable}${deadline}`;
  if (cooldown === undefined) return "";
  return `${cooldown.failures} ${cooldown.failures === 1 ? "failure" : "failures in a row"}, the last ${cooldown.reason}`;
}

/** The options of `nodes cordon`. */
export interface OrderFlags {
  readonly reason?: string;
}

/** Keeps new gangs from a node. */
export async function cordon(session: Session, nodeId: string, flags: OrderFlags): Promise<void> {
  const { scheduler: client } = await session.clients();
  const request = { requestId: randomUUID(), nodeId, reason: flags.reason ?? "" };
  await retryUnavailable(() => client.cordonNode(request));
  printNode(
    session,
    await settled(session, nodeId, [scheduler.NodeDuty.CORDONED, scheduler.NodeDuty.DRAINED]),
  );
}

/** Gives a node work again. */
export async function uncordon(session: Session, nodeId: string): Promise<void> {
  const { scheduler: client } = await session.clients();
  const request = { requestId: randomUUID(), nodeId };
  await retryUnavailable(() => client.uncordonNode(request));
  printNode(session, await settled(session, nodeId, [scheduler.NodeDuty.OPEN]));
}

/** The options of `nodes drain`. */
export interface DrainFlags extends OrderFlags {
  readonly deadline: number;
  readonly wait: boolean;
}

/** Empties a node, and waits for it. */
export async function drain(session: Session, nodeId: string, flags: DrainFlags): Promise<void> {
  const { scheduler: client } = await session.clients();
  const { reason = "", deadline, wait } = flags;
  const request = { requestId: randomUUID(), nodeId, reason, deadlineSeconds: BigInt(deadline) };
  await retryUnavailable(() => client.drainNode(request));
  const until = wait
    ? [scheduler.NodeDuty.DRAINED]
    : [scheduler.NodeDuty.DRAINING, scheduler.NodeDuty.DRAINED];
  printNode(session, await settled(session, nodeId, until));
}

const LOOK_AGAIN_MS = 200;

/** Waits until the leader has made it so. An order is kept, so whoever gives up waiting changes nothing. */
async function settled(
  session: Session,
  nodeId: string,
  duties: readonly scheduler.NodeDuty[],
): Promise<scheduler.Node> {
  const { scheduler: client } = await session.clients();
  for (;;) {
    const { nodes: found } = await retryUnavailable(() => client.listNodes({}));
    const node = found.find(({ id }) => id === nodeId);
    if (node !== undefined && duties.includes(node.duty)) return node;
    await delay(LOOK_AGAIN_MS);
  }
}

function printNode(session: Session, node: scheduler.Node): void {
  if (session.json) session.printMessage(scheduler.NodeSchema, node);
  else
    session.print(
      `${node.id} is ${dutyWord(node)}${node.unusable === "" ? "" : style.dim(`: ${node.unusable}`)}`,
    );
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
