/**
 * Below which number of the stream nothing of this replica's is needed any more: everything there is stored, and nothing that
 * is on its way can come to lie there. `waiting` are the numbers of what is not stored yet; `sentAfter`, for each message
 * whose number is not known yet, the newest number that was known when it was sent, since numbers only rise; `newest` is the
 * newest known number.
 */
export function journalFloor(waiting: Iterable<number>, sentAfter: Iterable<number>, newest: number): number {
  let floor = newest + 1;
  for (const seq of waiting) floor = Math.min(floor, seq);
  for (const seq of sentAfter) floor = Math.min(floor, seq + 1);
  return floor;
}
