const bars = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;

/** A series as one line of bars, newest right; each bar is the mean of what it covers. */
export function sparkline(values: readonly number[], width: number): string {
  if (values.length === 0) return "";
  const per = Math.max(1, values.length / width);
  const means = Array.from({ length: Math.min(width, values.length) }, (_, index) => {
    const part = values.slice(
      Math.floor(index * per),
      Math.max(Math.floor((index + 1) * per), Math.floor(index * per) + 1),
    );
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
  const low = Math.min(...means);
  const span = Math.max(...means) - low || 1;
  return means
    .map((mean) => bars[Math.min(bars.length - 1, Math.floor(((mean - low) / span) * bars.length))])
    .join("");
}
