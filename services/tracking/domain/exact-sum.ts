/**
 * Sums of float64 values without rounding: whatever the order in which values and sums are added, the same total comes
 * out. A sum is kept as numbers whose exact total it is, none overlapping another, smallest first (J. R. Shewchuk,
 * "Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric Predicates", 1997); mostly two or three of them.
 * A sum that holds an infinity or whose parts go beyond the largest number is that infinity alone, or NaN for both infinities.
 */

/** Adds a value, which is not NaN, to the parts of a sum, in place. */
export function addExactly(parts: number[], value: number): void {
  if (!Number.isFinite(value) || isSpecial(parts)) {
    setSpecial(parts, (isSpecial(parts) ? (parts[0] ?? 0) : 0) + value);
    return;
  }
  let high = value;
  let kept = 0;
  for (const part of parts) {
    const [large, small] = Math.abs(high) < Math.abs(part) ? [part, high] : [high, part];
    const sum = large + small;
    const rest = small - (sum - large);
    if (rest !== 0) parts[kept++] = rest;
    high = sum;
  }
  if (!Number.isFinite(high)) {
    setSpecial(parts, high);
    return;
  }
  parts.length = kept;
  if (high !== 0) parts.push(high);
}

/** The sum's value, correctly rounded. */
export function exactTotal(parts: readonly number[]): number {
  let index = parts.length - 1;
  if (index < 0) return 0;
  let high = parts[index] ?? 0;
  let low = 0;
  while (index > 0) {
    index -= 1;
    const before = high;
    const part = parts[index] ?? 0;
    high = before + part;
    low = part - (high - before);
    if (low !== 0) break;
  }
  // Exactly half way: the part below decides, where half-even alone would round the wrong way.
  const below = parts[index - 1] ?? 0;
  if (index > 0 && ((low < 0 && below < 0) || (low > 0 && below > 0))) {
    const doubled = low * 2;
    const moved = high + doubled;
    if (doubled === moved - high) return moved;
  }
  return high;
}

function isSpecial(parts: readonly number[]): boolean {
  return parts.length === 1 && !Number.isFinite(parts[0]);
}

function setSpecial(parts: number[], value: number): void {
  parts.length = 1;
  parts[0] = value;
}
