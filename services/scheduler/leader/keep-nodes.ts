import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { scheduler } from "@trainyard/contracts";
import type { Tx } from "@trainyard/store";
import { type Node, nodeStateAfter, type Unreaped } from "../domain/node.ts";
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
  /** Brings the records up to what was heard, and was not heard for too long. */
  update(nowMs: number, now: Date): Promise<void>;
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
        ...envelope(node),
        schema: scheduler.NodeJoinedSchema,
        data: create(scheduler.NodeJoinedSchema, { nodeId: node.id, slots: node.slots }),
      }),
    );
    logger.info({ node: node.id, slots: node.slots }, "node joined");
  }

  async function lose(node: Node): Promise<void> {
    await store(node, "node lost", (tx) =>
      tx.emit({
        ...envelope(node),
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
    const state = nodeStateAfter(node.state, fresh, probe.silenceMs(heard?.heardMs, nowMs), {
      suspectAfterMs: config.nodeSuspectAfterMs,
      lostAfterMs: config.nodeLostAfterMs,
    });
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

  return {
    async load() {
      for (const node of await nodes.all()) copy.set(node.id, node);
    },
    list: () => [...copy.values()],
    get: (id) => copy.get(id),
    async update(nowMs, now) {
      for (const id of fleet.nodeIds()) {
        const heard = fleet.latest(id);
        if (heard === undefined || copy.has(id) || nowMs - heard.heardMs >= config.nodeLostAfterMs) continue;
        touchedMs.set(id, nowMs);
        await join(newNode(id, inventoryOf(heard), now));
      }
      for (const node of [...copy.values()]) await updateOne(node, fleet.latest(node.id), nowMs);
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

function envelope(node: Node) {
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
