/** Which keys have to go so that no more than `keep` are left, those used longest ago first. `usedAt` is any rising time. */
export function leastRecentlyUsed<K>(usedAt: ReadonlyMap<K, number>, keep: number): readonly K[] {
  const byAge = [...usedAt].sort(([, a], [, b]) => a - b).map(([key]) => key);
  return byAge.slice(0, Math.max(0, byAge.length - keep));
}
