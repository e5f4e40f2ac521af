/** In place of a rank, for points that were logged by calls: they come from no file, and are history whatever attempt follows. */
export const CALL_RANK = -1;

/**
 * In place of a rank, for what its node has measured of it: that is no part of its record file, has offsets of its own (the
 * milliseconds since the rank's start), and is history whatever attempt follows, for it happened.
 */
export function samplesOf(rank: number): number {
  return -2 - rank;
}

/** The rank that stands behind such a number; other numbers are themselves. */
export function rankBehind(rank: number): number {
  return rank <= -2 ? -2 - rank : rank;
}

/** Whether points of this source are history whatever attempt follows: none of a rank's own records are. */
export function isAlwaysHistory(rank: number): boolean {
  return rank < 0;
}

/** One attempt's rank: whose file a record or an output comes from. */
export interface RankSource {
  readonly runId: string;
  readonly attempt: number;
  readonly rank: number;
}

/** What of a rank is shipped: its records, its two outputs, and what its node has measured of it. */
export const telemetryKinds = ["records", "stdout", "stderr", "samples"] as const;
export type TelemetryKind = (typeof telemetryKinds)[number];

/** One file of one rank. */
export interface TelemetrySource extends RankSource {
  readonly kind: TelemetryKind;
}

/** A source as one text, for use as a key. */
export function sourceKey({ runId, attempt, rank, kind }: TelemetrySource): string {
  return `${runId}:${attempt}:${rank}:${kind}`;
}
