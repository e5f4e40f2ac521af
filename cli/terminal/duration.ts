import { DomainError } from "@trainyard/domain";

const unitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** "90s", "1h30m", "2d", "500ms" in milliseconds. Throws DURATION_INVALID. */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) {
    throw new DomainError(
      "invalid_argument",
      "DURATION_INVALID",
      `"${text}" is no duration: expected a number with ms, s, m, h or d, such as 10m or 1h30m`,
    );
  }
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * (unitsMs[unit ?? ""] ?? 0), 0);
}

/** A moment: a duration back from `now`, or an RFC 3339 time. Throws TIME_INVALID. */
export function parseMoment(text: string, now: Date): Date {
  if (/^\d+(\.\d+)?(ms|s|m|h|d)/.test(text)) return new Date(now.getTime() - parseDuration(text));
  const at = new Date(text);
  if (!Number.isNaN(at.getTime())) return at;
  throw new DomainError(
    "invalid_argument",
    "TIME_INVALID",
    `"${text}" is no moment: expected how long ago, such as 10m, or a time such as 2026-01-31T12:00:00Z`,
  );
}

/** A length of time for people: "0.4 s", "12.3 s", "3 m 04 s", "2 h 05 m", "3 d 4 h". */
export function formatDuration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${pad(whole % 60)} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} m`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

function pad(n: number): string {
  return String(n).padStart(2, "0");
}
