import type { Placement } from "./attempt.ts";
import { SlotBuckets } from "./slot-buckets.ts";
import type { NodeCapacity } from "./snapshot.ts";

/**
 * The free slots of some nodes while one decision is made: those of all nodes, and those of each kind, for gangs that ask for
 * one. Which slots of a node are free is worked out when some are taken, since most nodes are only counted.
 */
export class FreeSlots {
  /** By id. */
  readonly #nodes: readonly NodeCapacity[];
  /** Slots that were held before, by the node's id. */
  readonly #held: ReadonlyMap<string, ReadonlySet<number>>;
  /** Per node: how many slots are free. */
  readonly #free: number[] = [];
  /** Per node that has given slots: indices of its free ones, descending, so that the lowest is popped first. */
  readonly #slots: number[][] = [];
  readonly #all = new SlotBuckets((node) => this.freeOn(node));
  readonly #ofKind: ReadonlyMap<string, SlotBuckets>;
  #byId: Map<string, number> | undefined;

  constructor(nodes: readonly NodeCapacity[], held: readonly Placement[]) {
    this.#nodes = [...nodes].sort((a, b) => (a.id < b.id ? -1 : 1));
    this.#held = heldSlots(held);
    const kinds = new Set(nodes.map(({ slotKind }) => slotKind));
    // A fleet of one kind, as most are, is not counted twice.
    const bucketsOf = () => (kinds.size === 1 ? this.#all : new SlotBuckets((node) => this.freeOn(node)));
    this.#ofKind = new Map([...kinds].map((kind) => [kind, bucketsOf()]));
    for (const [node, { id, slots }] of this.#nodes.entries()) {
      this.#enter(node, slots - countBelow(slots, this.#held.get(id)));
    }
  }

  /** The kinds of slots that there are, in alphabetical order. */
  get kinds(): readonly string[] {
    return [...this.#ofKind.keys()].sort();
  }

  /** The free slots of a kind, or of all nodes. */
  among(kind: string | undefined): SlotBuckets {
    if (kind === undefined) return this.#all;
    return this.#ofKind.get(kind) ?? new SlotBuckets(() => 0);
  }

  freeOn(node: number): number {
    return this.#free[node] ?? 0;
  }

  idOf(node: number): string {
    return this.#nodes[node]?.id ?? "";
  }

  /** The node with this id. */
  nodeOf(id: string): number {
    this.#byId ??= new Map(this.#nodes.map((node, index) => [node.id, index]));
    const node = this.#byId.get(id);
    if (node === undefined) throw new Error(`the node ${id} is not among those with slots to give`);
    return node;
  }

  /** Takes the node's lowest free slots. */
  take(node: number, count: number): readonly number[] {
    const free = this.#slotsOf(node);
    this.#leave(node, free.length);
    const slots = free.splice(free.length - count).reverse();
    this.#enter(node, free.length);
    return slots;
  }

  /** Undoes the taking of the node's highest slots of those that `take` gave last. */
  giveBack(node: number, slots: readonly number[]): void {
    const free = this.#slotsOf(node);
    this.#leave(node, free.length);
    free.push(...slots.toReversed());
    this.#enter(node, free.length);
  }

  #slotsOf(node: number): number[] {
    const known = this.#slots[node];
    if (known !== undefined) return known;
    const { id = "", slots = 0 } = this.#nodes[node] ?? {};
    const held = this.#held.get(id);
    const free: number[] = [];
    for (let slot = slots - 1; slot >= 0; slot--) if (held?.has(slot) !== true) free.push(slot);
    this.#slots[node] = free;
    return free;
  }

  #enter(node: number, free: number): void {
    this.#free[node] = free;
    this.#all.enter(node, free);
    const own = this.#bucketsOf(node);
    if (own !== this.#all) own?.enter(node, free);
  }

  #leave(node: number, free: number): void {
    this.#all.leave(free);
    const own = this.#bucketsOf(node);
    if (own !== this.#all) own?.leave(free);
  }

  #bucketsOf(node: number): SlotBuckets | undefined {
    return this.#ofKind.get(this.#nodes[node]?.slotKind ?? "");
  }
}

function heldSlots(placements: readonly Placement[]): ReadonlyMap<string, ReadonlySet<number>> {
  const held = new Map<string, Set<number>>();
  for (const { nodeId, slots } of placements) {
    const own = held.get(nodeId) ?? new Set();
    held.set(nodeId, own);
    for (const slot of slots) own.add(slot);
  }
  return held;
}

/** A node that has come back smaller may have slots held that it has no more. */
function countBelow(limit: number, slots: ReadonlySet<number> | undefined): number {
  let count = 0;
  for (const slot of slots ?? []) if (slot < limit) count++;
  return count;
}
