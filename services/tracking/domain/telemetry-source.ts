/** In place of a rank, for points that were logged by calls: they come from no file, and are history whatever attempt follows. */
export const CALL_RANK = -1;

/** One attempt's rank: whose file a record or an output comes from. */
export interface RankSource {
  readonly runId: string;
  readonly attempt: number;
  readonly rank: number;
}

/** The files of a rank that are shipped: its records, and its two outputs. */
export const telemetryKinds = ["records", "stdout", "stderr"] as const;
export type TelemetryKind = (typeof telemetryKinds)[number];

/** One file of one rank. */
export interface TelemetrySource extends RankSource {
  readonly kind: TelemetryKind;
}

/** A source as one text, for use as a key. */
export function sourceKey({ runId, attempt, rank, kind }: TelemetrySource): string {
  return `${runId}:${attempt}:${rank}:${kind}`;
}
