/**
 * Which of several equal workers does what, without asking: each item goes to the worker for which the hash of both is
 * the highest (D. Thaler and C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998). All share alike,
 * and when one comes or goes only its own items move.
 */
export function ownerOf(item: string, workers: readonly string[]): string | undefined {
  let best: { readonly worker: string; readonly weight: number } | undefined;
  for (const worker of workers) {
    const weight = hash(`${worker}\n${item}`);
    if (best === undefined || weight > best.weight || (weight === best.weight && worker > best.worker)) {
      best = { worker, weight };
    }
  }
  return best?.worker;
}

/** FNV-1a over UTF-16 units, with a last mixing so that short differences reach every bit. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  value = Math.imul(value ^ (value >>> 16), 0x45d9f3b);
  value = Math.imul(value ^ (value >>> 16), 0x45d9f3b);
  return (value ^ (value >>> 16)) >>> 0;
}
