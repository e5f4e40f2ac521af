/** A metric's value for people: five significant digits, no noise. */
export function formatMetric(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : value < 0 ? "-∞" : "NaN";
  if (value === 0 || Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size >= 1e6 || size < 1e-4 ? value.toExponential(3) : String(Number(value.toPrecision(5)));
}

/** Whether the platform measured it (steps, resources); a script's own metrics have other names. */
export function isSystemMetric(key: string): boolean {
  return key.startsWith("trainyard/");
}
