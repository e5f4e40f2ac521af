/** How long things are kept, in days counted back from now; 0 is for ever. */
export interface RetentionPolicy {
  readonly purgeDeletedAfterDays: number;
  readonly artifactDays: number;
  readonly checkpointDays: number;
  /** The newest so many runs of each experiment lose nothing. */
  readonly keepNewestRuns: number;
  /** Younger blobs are left alone: somebody may be about to refer to them. */
  readonly blobGraceMs: number;
}

/** Runs with this tag, whatever its value, lose nothing while they are not deleted. */
export const KEEP_TAG = "trainyard.keep";

const DAY_MS = 24 * 60 * 60_000;

/** What a decision about a run's data looks at. */
export interface RetainedRun {
  readonly endedAt: Date | undefined;
  readonly isTaggedKeep: boolean;
  /** A model version was made of it. */
  readonly hasModelVersion: boolean;
  /** How many runs of its experiment are newer. */
  readonly newerRuns: number;
}

/** Why artifacts or checkpoints of a run go under a limit of so many days; `undefined` while they stay. */
export function whyExpired(
  run: RetainedRun,
  days: number,
  { keepNewestRuns }: Pick<RetentionPolicy, "keepNewestRuns">,
  now: Date,
): string | undefined {
  if (days === 0 || run.endedAt === undefined) return undefined;
  if (run.isTaggedKeep || run.hasModelVersion || run.newerRuns < keepNewestRuns) return undefined;
  const age = daysSince(run.endedAt, now);
  return age > days ? `the run ended ${age} days ago, and ${days} are kept` : undefined;
}

/** Why a deleted run goes for good; `undefined` while it can be restored. */
export function whyPurged(
  deletedAt: Date | undefined,
  { purgeDeletedAfterDays: days }: Pick<RetentionPolicy, "purgeDeletedAfterDays">,
  now: Date,
): string | undefined {
  if (days === 0 || deletedAt === undefined) return undefined;
  const age = daysSince(deletedAt, now);
  return age > days ? `it was deleted ${age} days ago, and can be restored for ${days}` : undefined;
}

/** Before when something has to have happened to be older than so many days. */
export function daysBefore(now: Date, days: number): Date {
  return new Date(now.getTime() - days * DAY_MS);
}

function daysSince(then: Date, now: Date): number {
  return Math.round(((now.getTime() - then.getTime()) / DAY_MS) * 10) / 10;
}
