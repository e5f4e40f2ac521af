import type { Placement } from "./attempt.ts";
import { NodeHeap } from "./node-heap.ts";
import type { NodeCapacity } from "./snapshot.ts";

/**
 * The free slots of some nodes while one decision is made. Nodes are bucketed by how many slots are free on them, so
 * that "the fullest node that still fits" and "how many such ranks fit in all" cost the size of the largest node and not
 * that of the fleet. A bucket's heap is cleaned lazily: an entry counts only while the node's free slots equal its bucket.
 */
export class FreeSlots {
  readonly #ids: readonly string[];
  /** Per node: indices of its free slots, descending, so that the lowest is popped first. */
  readonly #free: number[][];
  readonly #buckets: NodeHeap[] = [];
  readonly #counts: number[] = [];
  #total = 0;

  constructor(nodes: readonly NodeCapacity[], held: readonly Placement[]) {
    const sorted = [...nodes].sort((a, b) => (a.id < b.id ? -1 : 1));
    this.#ids = sorted.map(({ id }) => id);
    const taken = new Map(sorted.map(({ id }) => [id, new Set<number>()]));
    for (const { nodeId, slots } of held) for (const slot of slots) taken.get(nodeId)?.add(slot);
    this.#free = sorted.map(({ id, slots }) =>
      Array.from({ length: slots }, (_, index) => slots - 1 - index).filter(
        (slot) => !taken.get(id)?.has(slot),
      ),
    );
    for (const [node, free] of this.#free.entries()) {
      this.#total += free.length;
      this.#enter(node, free.length);
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
    return this.#free[node]?.length ?? 0;
  }

  idOf(node: number): string {
    return this.#ids[node] ?? "";
  }

  /** Takes the node's lowest free slots. */
  take(node: number, count: number): readonly number[] {
    const free = this.#free[node] ?? [];
    this.#counts[free.length] = (this.#counts[free.length] ?? 0) - 1;
    const slots = free.splice(free.length - count).reverse();
    this.#total -= slots.length;
    this.#enter(node, free.length);
    return slots;
  }

  #enter(node: number, free: number): void {
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
