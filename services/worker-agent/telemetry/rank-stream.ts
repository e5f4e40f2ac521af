import type { Assignment } from "../domain/assignment.ts";

/** The three things of a rank that are shipped; each has its own offsets. */
export type StreamName = "records" | "stdout" | "stderr";

/** Which rank's telemetry it is. */
export interface RankIdentity {
  readonly project: string;
  readonly runId: string;
  readonly attempt: number;
  readonly rank: number;
}

export function rankIdentity(assignment: Assignment, rank: number): RankIdentity {
  const { project, runId, attempt } = assignment;
  return { project, runId, attempt, rank };
}

/** Where what a node measured of a rank is published. */
export function samplesSubject({ project, runId, attempt, rank }: RankIdentity): string {
  return `telemetry.${project}.${runId}.${attempt}.${rank}.samples`;
}

/** Where what ranks of an attempt recorded and printed is published. */
export function bundleSubject({ project, runId, attempt }: Omit<RankIdentity, "rank">): string {
  return `telemetry.${project}.${runId}.${attempt}.all.bundle`;
}

/**
 * The id under which a range is deduplicated. It names both ends: a restarted agent may find more in the file and send a
 * longer range from the same beginning, and that one must not be taken for the shorter one. Where ranges overlap, tracking
 * trims. `resend` counts how often the agent went back because what it had sent never arrived.
 */
export function telemetryMsgId(
  of: RankIdentity,
  stream: StreamName,
  range: { readonly begin: number; readonly end: number },
  resend: number,
): string {
  const again = resend === 0 ? "" : `#${resend}`;
  return `${of.runId}.${of.attempt}.${of.rank}.${stream}.${range.begin}-${range.end}${again}`;
}
