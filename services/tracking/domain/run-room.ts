/** Replicas that may open runs between two counts, each for itself. */
const SHARERS = 8;

/** How many more runs may be opened before they are counted again, when there were so many: all replicas together no more than fit. */
export function roomAfterCount(count: number, maximum: number): number {
  return Math.max(0, Math.floor((maximum - count) / SHARERS) - 1);
}
