import type { Placement } from "./attempt.ts";
import { NodeHeap } from "./node-heap.ts";
import type { NodeCapacity } from "./snapshot.ts";

/**
 * The free slots of some nodes while one decision is made. Nodes are bucketed by how many slots are free on them, so
 * that "the fullest node that still fits" and "how many such ranks fit in all" cost the size of the largest node and not
 * that of the fleet. A bucket's heap is cleaned lazily: an entry counts only while the node's free slots equal its bucket.
 * Which slots of a node are free is worked out when some are taken, since most nodes are only counted.
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
  readonly #buckets: NodeHeap[] = [];
  readonly #counts: number[] = [];
  #total = 0;
  #byId: Map<string, number> | undefined;

  constructor(nodes: readonly NodeCapacity[], held: readonly Placement[]) {
    this.#nodes = [...nodes].sort((a, b) => (a.id < b.id ? -1 : 1));
    this.#held = heldSlots(held);
    for (const [node, { id, slots }] of this.#nodes.entries()) {
      const free = slots - countBelow(slots, this.#held.get(id));
      this.#total += free;
      this.#enter(node, free);
    }
  }

  /** Free slots in all. */
  get total(): number {
    return this.#total;
  }

  /** How many ranks of this size fit, each on one node. */
  rankCapacity(slotsPerRank: number): number {
    let capacity = 0;
    for (let free = slotsPerRank; free < this.#counts.length; free++) {
      capacity += (this.#counts[free] ?? 0) * Math.floor(free / slotsPerRank);
    }
    return capacity;
  }

  /** How many nodes have at least so many free slots. */
  nodesWith(slots: number): number {
    let nodes = 0;
    for (let free = slots; free < this.#counts.length; free++) nodes += this.#counts[free] ?? 0;
    return nodes;
  }

  /** The node with the fewest free slots, but at least so many; the lowest id among equals. */
  tightest(slots: number): number | undefined {
    for (let free = slots; free < this.#buckets.length; free++) {
      const node = this.#topOf(free);
      if (node !== undefined) return node;
    }
    return undefined;
  }

  /** The node with the most free slots; the lowest id among equals. */
  roomiest(): number | undefined {
    for (let free = this.#buckets.length - 1; free > 0; free--) {
      const node = this.#topOf(free);
      if (node !== undefined) return node;
    }
    return undefined;
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
    this.#counts[free.length] = (this.#counts[free.length] ?? 0) - 1;
    const slots = free.splice(free.length - count).reverse();
    this.#total -= slots.length;
    this.#enter(node, free.length);
    return slots;
  }

  /** Undoes the taking of the node's highest slots of those that `take` gave last. */
  giveBack(node: number, slots: readonly number[]): void {
    const free = this.#slotsOf(node);
    this.#counts[free.length] = (this.#counts[free.length] ?? 0) - 1;
    free.push(...slots.toReversed());
    this.#total += slots.length;
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
    while (this.#buckets.length <= free) {
      this.#buckets.push(new NodeHeap());
      this.#counts.push(0);
    }
    this.#counts[free] = (this.#counts[free] ?? 0) + 1;
    this.#buckets[free]?.push(node);
  }

  #topOf(free: number): number | undefined {
    const bucket = this.#buckets[free];
    if (bucket === undefined || this.#counts[free] === 0) return undefined;
    while (bucket.top !== undefined && this.freeOn(bucket.top) !== free) bucket.pop();
    return bucket.top;
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
