import { z } from "zod";

const UNITS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;
const PATTERN = /^(\d{1,9})([smhd])$/;

/** A length of time as people write it in a job file: seconds as a number, or "90s", "15m", "2h", "1d". */
export const duration = z.union([
  z.int().min(0),
  z.string().regex(PATTERN, 'expected seconds, or a number with its unit: "90s", "15m", "2h", "1d"'),
]);

/** Its seconds. */
export function secondsOf(value: z.output<typeof duration>): number {
  if (typeof value === "number") return value;
  const [, count = "0", unit = "s"] = PATTERN.exec(value) ?? [];
  return Number(count) * UNITS[unit as keyof typeof UNITS]; // The pattern admits no other unit.
}
