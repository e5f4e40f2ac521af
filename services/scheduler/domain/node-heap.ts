/** A min-heap of numbers: the nodes of one bucket of `FreeSlots`, lowest first. */
export class NodeHeap {
  readonly #items: number[] = [];

  get top(): number | undefined {
    return this.#items[0];
  }

  push(value: number): void {
    const items = this.#items;
    let at = items.push(value) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent] ?? value;
      if (above <= value) break;
      items[at] = above;
      at = parent;
    }
    items[at] = value;
  }

  pop(): void {
    const items = this.#items;
    const value = items.pop();
    if (value === undefined || items.length === 0) return;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const right = left + 1;
      const child =
        (items[right] ?? Number.POSITIVE_INFINITY) < (items[left] ?? Number.POSITIVE_INFINITY) ? right : left;
      const below = items[child];
      if (below === undefined || below >= value) break;
      items[at] = below;
      at = child;
    }
    items[at] = value;
  }
}
