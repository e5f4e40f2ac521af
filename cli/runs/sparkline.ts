const bars = "▁▂▃▄▅▆▇█";

/** A curve in one line of text: values in order, averaged into at most `width` columns; what is not finite is a gap. */
export function sparkline(values: readonly number[], width: number): string {
  const columns = Math.min(width, values.length);
  const means = Array.from({ length: columns }, (_, column) => {
    const from = Math.floor((column * values.length) / columns);
    const to = Math.floor(((column + 1) * values.length) / columns);
    const finite = values.slice(from, to).filter(Number.isFinite);
    return finite.length === 0 ? Number.NaN : finite.reduce((sum, value) => sum + value, 0) / finite.length;
  });
  const finite = means.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  return means
    .map((mean) => {
      if (!Number.isFinite(mean)) return " ";
      const share = high === low ? 0.5 : (mean - low) / (high - low);
      return bars[Math.min(bars.length - 1, Math.floor(share * bars.length))];
    })
    .join("");
}
