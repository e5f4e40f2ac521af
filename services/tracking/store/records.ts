import type { IndexSpec, Store } from "@trainyard/store";
import { type Artifacts, artifactIndexes, createArtifacts } from "./artifacts.ts";
import { type Checkpoints, checkpointIndexes, createCheckpoints } from "./checkpoints.ts";
import { type CollectionMarks, createCollectionMarks } from "./collection-marks.ts";
import { createExperiments, type Experiments, experimentIndexes } from "./experiments.ts";
import { createFavourites, type Favourites, favouriteIndexes } from "./favourites.ts";
import { createIdleRuns, type IdleRuns, idleRunIndexes } from "./idle-runs.ts";
import { createLogArchives, type LogArchives, logArchiveIndexes } from "./log-archives.ts";
import { createLogBatches, type LogBatches, logBatchIndexes } from "./log-batches.ts";
import { createMetricBatches, type MetricBatches, metricBatchIndexes } from "./metric-batches.ts";
import { createMetricChunks, type MetricChunks, metricChunkIndexes } from "./metric-chunks.ts";
import { createMetricStates, type MetricStates, metricStateIndexes } from "./metric-states.ts";
import { createMetricSummaries, type MetricSummaries, metricSummaryIndexes } from "./metric-summaries.ts";
import { createMetricWorkers, type MetricWorkers, metricWorkerIndexes } from "./metric-workers.ts";
import { createPurgedRuns, type PurgedRuns, purgedRunIndexes } from "./purged-runs.ts";
import { createRetainedRuns, type RetainedRuns } from "./retained-runs.ts";
import { createRunNotes, type RunNotes, runNoteIndexes } from "./run-notes.ts";
import { createRunVersions, type RunVersions, runVersionIndexes } from "./run-versions.ts";
import { createRuns, type Runs, runIndexes } from "./runs.ts";
import { createSearches, type Searches } from "./search.ts";
import { createStoredRanges, type StoredRangesStore, storedRangesIndexes } from "./stored-ranges.ts";

/** Everything this service keeps. */
export interface Records {
  readonly searches: Searches;
  readonly idleRuns: IdleRuns;
  readonly runs: Runs;
  readonly experiments: Experiments;
  readonly notes: RunNotes;
  readonly favourites: Favourites;
  readonly checkpoints: Checkpoints;
  readonly artifacts: Artifacts;
  readonly metrics: MetricBatches;
  readonly metricChunks: MetricChunks;
  readonly metricStates: MetricStates;
  readonly metricSummaries: MetricSummaries;
  readonly metricWorkers: MetricWorkers;
  readonly logs: LogBatches;
  readonly logArchives: LogArchives;
  readonly storedRanges: StoredRangesStore;
  readonly runVersions: RunVersions;
  readonly collectionMarks: CollectionMarks;
  readonly purgedRuns: PurgedRuns;
  readonly retainedRuns: RetainedRuns;
}

/** The repositories on this database. */
export function createRecords(store: Store): Records {
  return {
    searches: createSearches(store),
    idleRuns: createIdleRuns(store),
    runs: createRuns(store),
    experiments: createExperiments(store),
    notes: createRunNotes(store),
    favourites: createFavourites(store),
    checkpoints: createCheckpoints(store),
    artifacts: createArtifacts(store),
    metrics: createMetricBatches(store),
    metricChunks: createMetricChunks(store),
    metricStates: createMetricStates(store),
    metricSummaries: createMetricSummaries(store),
    metricWorkers: createMetricWorkers(store),
    logs: createLogBatches(store),
    logArchives: createLogArchives(store),
    storedRanges: createStoredRanges(store),
    runVersions: createRunVersions(store),
    collectionMarks: createCollectionMarks(store),
    purgedRuns: createPurgedRuns(store),
    retainedRuns: createRetainedRuns(store),
  };
}

/** Every index of this service's collections. */
export const recordIndexes: readonly IndexSpec[] = [
  ...runIndexes,
  ...experimentIndexes,
  ...idleRunIndexes,
  ...runNoteIndexes,
  ...runVersionIndexes,
  ...favouriteIndexes,
  ...checkpointIndexes,
  ...artifactIndexes,
  ...metricBatchIndexes,
  ...metricChunkIndexes,
  ...metricStateIndexes,
  ...metricSummaryIndexes,
  ...metricWorkerIndexes,
  ...logBatchIndexes,
  ...logArchiveIndexes,
  ...storedRangesIndexes,
  ...purgedRunIndexes,
];
