import { baseConfigShape, blobMaxBytes, intVar, parseConfig } from "@trainyard/service";
import { z } from "zod";
import { DEFAULT_LOG_LIMIT_BYTES, MAX_RUNS_PER_EXPERIMENT, MIN_LOG_LIMIT_BYTES } from "./domain/limits.ts";

const schema = z.object({
  ...baseConfigShape,
  blobMaxBytes,
  /** Every so many hours what nobody needs is collected; 0: only when somebody asks. */
  gcEveryHours: intVar(0, 8_760).default(24),
  /** Deleted runs can be restored for so long; 0: for ever. */
  purgeDeletedAfterDays: intVar(0, 36_500).default(30),
  /** Artifacts and checkpoints of runs that ended longer ago go; 0: never. */
  artifactDays: intVar(0, 36_500).default(0),
  checkpointDays: intVar(0, 36_500).default(0),
  /** The newest so many runs of each experiment lose nothing, whatever their age. */
  keepNewestRuns: intVar(0, 1_000_000).default(0),
  /** Model versions that were archived longer ago hold what their runs keep no more; 0: they do for ever. */
  archivedVersionDays: intVar(0, 36_500).default(0),
  /** Runs of an experiment that outside clients may open. */
  maxRunsPerExperiment: intVar(1, 100_000_000).default(MAX_RUNS_PER_EXPERIMENT),
  /** Most bytes kept of one output of one rank: half of its beginning, half of its end. */
  logLimitBytes: intVar(MIN_LOG_LIMIT_BYTES, Number.MAX_SAFE_INTEGER).default(DEFAULT_LOG_LIMIT_BYTES),
  /** How long after a run's end its outputs are moved into the blob store. */
  archiveLogsAfterMs: intVar(0, 86_400_000).default(60_000),
  /** For so long a run whose outputs are being moved is left to the replica that began; a dead one's is then taken over. */
  archiveTurnMs: intVar(100, 86_400_000).default(120_000),
  /** How often outside runs are looked for that are silent for longer than they may be. */
  idleWatchMs: intVar(50, 3_600_000).default(10_000),
});

/** What tracking is told by its environment. */
export type TrackingConfig = z.infer<typeof schema>;

/** Reads the settings; the only reader of the environment. Throws ConfigError with every problem. */
export function parseTrackingConfig(env: Readonly<Record<string, string | undefined>>): TrackingConfig {
  return parseConfig(schema, env);
}
