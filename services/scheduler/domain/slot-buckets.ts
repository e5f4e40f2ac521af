import { NodeHeap } from "./node-heap.ts";

/**
 * Some nodes by how many slots are free on them, so that "the fullest node that still fits" and "how many such ranks fit in
 * all" cost the size of the largest node and not that of the fleet. A bucket's heap is cleaned lazily: an entry counts only
 * while the node's free slots equal its bucket.
 */
export class SlotBuckets {
  readonly #freeOn: (node: number) => number;
  readonly #heaps: NodeHeap[] = [];
  readonly #counts: number[] = [];
  #total = 0;

  /** `freeOn` says how many slots of a node are free. */
  constructor(freeOn: (node: number) => number) {
    this.#freeOn = freeOn;
  }

  /** Free slots in all. */
  get total(): number {
    return this.#total;
  }

  enter(node: number, free: number): void {
    while (this.#heaps.length <= free) {
      this.#heaps.push(new NodeHeap());
      this.#counts.push(0);
    }
    this.#counts[free] = (this.#counts[free] ?? 0) + 1;
    this.#heaps[free]?.push(node);
    this.#total += free;
  }

  /** Takes a node with so many free slots out; it is to enter again, with another number. */
  leave(free: number): void {
    this.#counts[free] = (this.#counts[free] ?? 0) - 1;
    this.#total -= free;
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

  /** The node with the fewest free slots, but at least so many; the lowest among equals. */
  tightest(slots: number): number | undefined {
    for (let free = slots; free < this.#heaps.length; free++) {
      const node = this.#topOf(free);
      if (node !== undefined) return node;
    }
    return undefined;
  }

  /** The node with the most free slots; the lowest among equals. */
  roomiest(): number | undefined {
    for (let free = this.#heaps.length - 1; free > 0; free--) {
      const node = this.#topOf(free);
      if (node !== undefined) return node;
    }
    return undefined;
  }

  #topOf(free: number): number | undefined {
    const heap = this.#heaps[free];
    if (heap === undefined || this.#counts[free] === 0) return undefined;
    while (heap.top !== undefined && this.#freeOn(heap.top) !== free) heap.pop();
    return heap.top;
  }
}
