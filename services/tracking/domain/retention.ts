/** How long things are kept, in days counted back from now; 0 is for ever. */
export interface RetentionPolicy {
  readonly purgeDeletedAfterDays: number;
  readonly artifactDays: number;
  readonly checkpointDays: number;
  /** Model versions that were archived longer ago hold their run no more; 0: they do for ever. */
  readonly archivedVersionDays: number;
  /** The newest so many runs of each experiment lose nothing. */
  readonly keepNewestRuns: number;
  /** Younger blobs are left alone: somebody may be about to refer to them. */
  readonly blobGraceMs: number;
}

/** Runs with this tag, whatever its value, lose nothing while they are not deleted. */
export const KEEP_TAG = "trainyard.keep";

const DAY_MS = 24 * 60 * 60_000;

/** Where a model version is in its life; `unknown` for one of which the registry has told nothing. */
export type VersionStage = "staging" | "canary" | "champion" | "archived" | "deleted" | "unknown";

/** A model version, as far as it holds what its run keeps. */
export interface RunVersion {
  /** Model and version, for people. */
  readonly name: string;
  readonly stage: VersionStage;
  /** When it came to this stage. */
  readonly since: Date;
}

/** What a decision about a run's data looks at. */
export interface RetainedRun {
  readonly endedAt: Date | undefined;
  readonly isTaggedKeep: boolean;
  /** The model versions that were made of it. */
  readonly versions: readonly RunVersion[];
  /** How many runs of its experiment are newer. */
  readonly newerRuns: number;
}

/** Why artifacts or checkpoints of a run go under a limit of so many days; `undefined` while they stay. */
export function whyExpired(
  run: RetainedRun,
  days: number,
  policy: Pick<RetentionPolicy, "keepNewestRuns" | "archivedVersionDays">,
  now: Date,
): string | undefined {
  if (days === 0 || run.endedAt === undefined) return undefined;
  if (run.isTaggedKeep || run.newerRuns < policy.keepNewestRuns) return undefined;
  const age = daysSince(run.endedAt, now);
  if (age <= days) return undefined;
  const released = run.versions.map((version) => whyReleased(version, policy, now));
  if (released.includes(undefined)) return undefined;
  return [`the run ended ${age} days ago, and ${days} are kept`, ...released].join("; ");
}

/** Why a model version holds its run no more; `undefined` while it does: unless it is archived or gone, always. */
function whyReleased(
  { name, stage, since }: RunVersion,
  { archivedVersionDays: days }: Pick<RetentionPolicy, "archivedVersionDays">,
  now: Date,
): string | undefined {
  const age = daysSince(since, now);
  if (stage === "deleted") return `${name} was deleted ${age} days ago`;
  if (stage !== "archived" || days === 0) return undefined;
  return age > days ? `${name} was archived ${age} days ago, and holds it for ${days}` : undefined;
}

/** A run that somebody has deleted, as a decision about it looks at it. */
export interface DeletedRun {
  readonly deletedAt: Date | undefined;
  readonly versions: readonly RunVersion[];
}

const inUse: ReadonlySet<VersionStage> = new Set(["staging", "canary", "champion"]);

/**
 * Why a deleted run goes for good; `undefined` while it can be restored. While a model version of it is in use it can be, for
 * what it was made of is asked for then.
 */
export function whyPurged(
  { deletedAt, versions }: DeletedRun,
  { purgeDeletedAfterDays: days }: Pick<RetentionPolicy, "purgeDeletedAfterDays">,
  now: Date,
): string | undefined {
  if (days === 0 || deletedAt === undefined) return undefined;
  if (versions.some(({ stage }) => inUse.has(stage))) return undefined;
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
