/**
 * Shares out a whole number in proportion to weights, exactly: every share is its quota rounded down or up, and the
 * shares sum to the total. The largest remainders are rounded up; of equal ones the first (Hamilton's method). Computed
 * with whole numbers, so that no rounding error ever moves a row.
 */
export function largestRemainder(total: number, weights: readonly bigint[]): readonly number[] {
  const sum = weights.reduce((a, b) => a + b, 0n);
  if (sum === 0n) {
    if (total === 0) return weights.map(() => 0);
    throw new RangeError(`nothing to share ${total} out by: all weights are 0`);
  }
  const quotas = weights.map((weight, index) => {
    const product = BigInt(total) * weight;
    return { index, floor: product / sum, remainder: product % sum };
  });
  let left = total - Number(quotas.reduce((a, { floor }) => a + floor, 0n));
  const shares = quotas.map(({ floor }) => Number(floor));
  const byRemainder = [...quotas].sort((a, b) =>
    a.remainder === b.remainder ? a.index - b.index : a.remainder > b.remainder ? -1 : 1,
  );
  for (const { index } of byRemainder) {
    if (left === 0) break;
    shares[index] = (shares[index] ?? 0) + 1;
    left--;
  }
  return shares;
}
