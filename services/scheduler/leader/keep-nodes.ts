import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { scheduler } from "@trainyard/contracts";
import type { Tx } from "@trainyard/store";
import { type Heartbeat, isPartOver } from "../domain/heartbeat.ts";
import { type Node, nodeStateAfter, type SilenceLimits, type Unreaped } from "../domain/node.ts";
import { isForgotten, type NodeCooldown } from "../domain/node-cooldown.ts";
import { type NodeDuty, type NodeOrder, nextDuty, openDuty } from "../domain/node-duty.ts";
import type { Heard } from "../fleet.ts";
import type { NodeInventory } from "../store/nodes.ts";
import type { Term } from "./term.ts";

/** A node's record is refreshed so often while nothing about it changes. */
const TOUCH_EVERY_MS = 5_000;
/** Fleets are shared by all projects; their events go out under this one. */
const FLEET_PROJECT = "default";

/** The nodes as this term knows them; it is their only writer, so the copy in memory is the truth. */
export interface KeptNodes {
  load(): Promise<void>;
  list(): readonly Node[];
  get(id: string): Node | undefined;
  /** Brings the records up to what was heard, was not heard for too long, and was ordered. `busy` are nodes with live attempts. */
  update(nowMs: number, now: Date, busy: ReadonlySet<string>): Promise<void>;
  /** The node after a change made in the same transaction as something else: stored by that, and kept here afterwards. */
  keep(node: Node): void;
  noteUnreaped(nodeId: string, unreaped: Unreaped): void;
  forgetUnreaped(nodeId: string, reaped: readonly Unreaped[]): Promise<void>;
}

/** The nodes of a term. */
export function createKeptNodes(term: Term): KeptNodes {
  const { nodes, fleet, probe, config, logger } = term;
  const copy = new Map<string, Node>();
  const touchedMs = new Map<string, number>();

  async function store(node: Node, label: string, event?: (tx: Tx) => Promise<unknown>): Promise<void> {
    await term.fenced(label, async (tx) => {
      await nodes.put(tx, node);
      await event?.(tx);
    });
    copy.set(node.id, node);
  }

  async function join(node: Node): Promise<void> {
    await store(node, "node joined", (tx) =>
      tx.emit({
        ...nodeEnvelope(node),
        schema: scheduler.NodeJoinedSchema,
        data: create(scheduler.NodeJoinedSchema, { nodeId: node.id, slots: node.slots }),
      }),
    );
    logger.info({ node: node.id, slots: node.slots }, "node joined");
  }

  async function lose(node: Node): Promise<void> {
    await store(node, "node lost", (tx) =>
      tx.emit({
        ...nodeEnvelope(node),
        schema: scheduler.NodeLostSchema,
        data: create(scheduler.NodeLostSchema, {
          nodeId: node.id,
          lastHeartbeatAt: timestampFromDate(node.lastHeartbeatAt),
        }),
      }),
    );
    logger.warn({ node: node.id }, "node lost");
  }

  async function updateOne(node: Node, heard: Heard | undefined, nowMs: number): Promise<void> {
    const fresh = heard !== undefined && nowMs - heard.heardMs < config.nodeSuspectAfterMs;
    const silence = probe.silenceMs(heard?.heardMs, nowMs);
    const state = nodeStateAfter(node.state, fresh, silence, limitsFor(heard?.heartbeat));
    const inventory = heard === undefined ? undefined : inventoryOf(heard);
    if (state !== node.state) {
      touchedMs.set(node.id, nowMs);
      const moved: Node = { ...node, ...inventory, state, version: node.version + 1 };
      if (state === "lost") return lose(moved);
      return node.state === "lost" ? join(moved) : store(moved, `node ${state}`);
    }
    if (inventory === undefined || state === "lost") return;
    const due = nowMs - (touchedMs.get(node.id) ?? Number.NEGATIVE_INFINITY) >= TOUCH_EVERY_MS;
    if (!due && !differs(node, inventory)) return;
    touchedMs.set(node.id, nowMs);
    await nodes.touch(node.id, inventory);
    copy.set(node.id, { ...node, ...inventory });
  }

  /** An agent that said it ends, and left its ranks running, is about to be started again: it gets the time for that. */
  function limitsFor(heartbeat: Heartbeat | undefined): SilenceLimits {
    const { nodeSuspectAfterMs: suspectAfterMs, nodeLostAfterMs, nodeRestartWithinMs } = config;
    const restarts =
      heartbeat?.lifecycle === "stopped" && heartbeat.parts.some(({ phase }) => !isPartOver(phase));
    return {
      suspectAfterMs,
      lostAfterMs: restarts ? Math.max(nodeLostAfterMs, nodeRestartWithinMs) : nodeLostAfterMs,
    };
  }

  /** Takes the node's newest order, and what its agent says of itself. */
  async function updateDuty(
    node: Node,
    order: NodeOrder | undefined,
    busy: boolean,
    now: Date,
  ): Promise<void> {
    const heartbeat = node.state === "lost" ? undefined : fleet.latest(node.id)?.heartbeat;
    const before = node.duty ?? openDuty(node.createdAt);
    const facts = {
      nodeId: node.id,
      order,
      lifecycle: heartbeat?.lifecycle,
      drainWithinMs: heartbeat?.drainWithinMs,
      busy,
    };
    const duty = nextDuty(before, facts, now);
    const forgotten = node.cooldown !== undefined && endsCooldown(node.cooldown, before, duty, now);
    if (duty === before && !forgotten) return;
    const { cooldown, ...rest } = node;
    const moved: Node = {
      ...rest,
      duty,
      version: node.version + 1,
      ...(cooldown === undefined || forgotten ? {} : { cooldown }),
    };
    await store(moved, `node ${duty.state}`, (tx) => emitDuty(tx, before, moved));
    if (duty !== before) logger.info({ node: node.id, duty: duty.state, by: duty.by }, "node's duty");
  }

  return {
    async load() {
      for (const node of await nodes.all()) copy.set(node.id, node);
    },
    list: () => [...copy.values()],
    get: (id) => copy.get(id),
    keep: (node) => void copy.set(node.id, node),
    async update(nowMs, now, busy) {
      for (const id of fleet.nodeIds()) {
        const heard = fleet.latest(id);
        if (heard === undefined || copy.has(id) || nowMs - heard.heardMs >= config.nodeLostAfterMs) continue;
        touchedMs.set(id, nowMs);
        await join(newNode(id, inventoryOf(heard), now));
      }
      for (const node of [...copy.values()]) await updateOne(node, fleet.latest(node.id), nowMs);
      const orders = new Map((await term.nodeOrders.all()).map((order) => [order.nodeId, order]));
      for (const node of [...copy.values()]) {
        const isBusy = busy.has(node.id) || node.unreaped.length > 0;
        await updateDuty(node, orders.get(node.id), isBusy, now);
      }
    },
    noteUnreaped(nodeId, unreaped) {
      const node = copy.get(nodeId);
      if (node !== undefined) copy.set(nodeId, { ...node, unreaped: [...node.unreaped, unreaped] });
    },
    async forgetUnreaped(nodeId, reaped) {
      const node = copy.get(nodeId);
      if (node === undefined || reaped.length === 0) return;
      await term.fenced("attempts reaped", (tx) => nodes.removeUnreaped(tx, nodeId, reaped));
      copy.set(nodeId, { ...node, unreaped: node.unreaped.filter((each) => !reaped.includes(each)) });
    },
  };
}

/** An uncordon ends a cool-down, and so does time. */
function endsCooldown(cooldown: NodeCooldown, before: NodeDuty, duty: NodeDuty, now: Date): boolean {
  const isUncordoned = duty.state === "open" && duty.orderRevision > before.orderRevision;
  return isUncordoned || isForgotten(cooldown, now);
}

async function emitDuty(tx: Tx, before: NodeDuty, node: Node): Promise<void> {
  const { id: nodeId, duty } = node;
  if (duty === undefined || duty.state === before.state) return;
  const { by, reason, deadlineAt } = duty;
  const of = { ...nodeEnvelope(node), actor: by === "" ? "service:scheduler" : by };
  switch (duty.state) {
    case "open": {
      const data = create(scheduler.NodeUncordonedSchema, { nodeId, by });
      await tx.emit({ ...of, schema: scheduler.NodeUncordonedSchema, data });
      return;
    }
    case "cordoned": {
      const data = create(scheduler.NodeCordonedSchema, { nodeId, by, reason });
      await tx.emit({ ...of, schema: scheduler.NodeCordonedSchema, data });
      return;
    }
    case "draining": {
      const deadline = deadlineAt === undefined ? {} : { deadlineAt: timestampFromDate(deadlineAt) };
      const data = create(scheduler.NodeDrainingSchema, { nodeId, by, reason, ...deadline });
      await tx.emit({ ...of, schema: scheduler.NodeDrainingSchema, data });
      return;
    }
    case "drained": {
      const data = create(scheduler.NodeDrainedSchema, { nodeId });
      await tx.emit({ ...of, schema: scheduler.NodeDrainedSchema, data });
    }
  }
}

/** What every event of a node carries. */
export function nodeEnvelope(node: Node) {
  return {
    project: FLEET_PROJECT,
    id: node.id,
    aggregateVersion: node.version,
    actor: "service:scheduler",
  };
}

function newNode(id: string, inventory: NodeInventory, now: Date): Node {
  return {
    id,
    project: FLEET_PROJECT,
    state: "ready",
    unreaped: [],
    version: 1,
    createdAt: now,
    ...inventory,
  };
}

function inventoryOf({ heartbeat, heardAt }: Heard): NodeInventory {
  const { slots, slotKind, labels, agentVersion, protocolVersion, address, cpuCount, memoryBytes } =
    heartbeat;
  return {
    slots,
    slotKind,
    labels,
    agentVersion,
    protocolVersion,
    address,
    cpuCount,
    memoryBytes,
    lastHeartbeatAt: heardAt,
  };
}

function differs(node: Node, { lastHeartbeatAt: _at, ...inventory }: NodeInventory): boolean {
  const { slots, slotKind, labels, agentVersion, protocolVersion, address, cpuCount, memoryBytes } = node;
  const known = { slots, slotKind, labels, agentVersion, protocolVersion, address, cpuCount, memoryBytes };
  return JSON.stringify(known) !== JSON.stringify(inventory);
}
