import { toBinary } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import type { Deps } from "../deps.ts";
import type { SummaryNumbers } from "../domain/metric-summary.ts";
import type { RunRecord } from "../domain/run-record.ts";
import type { RunColumns } from "../store/runs.ts";
import { runToProto } from "../wire/run-to-proto.ts";

/** What of found runs is shown. */
export interface FoundFields extends RunColumns {
  readonly metrics: readonly string[] | "all";
}

/** Bytes of runs in one answer: below the size of a message that clients accept. */
const MAX_ANSWER_BYTES = 3_500_000;
/** A metric's summary without its key is no longer: six doubles, six int64, and tags and lengths of all. */
const METRIC_BYTES = 6 * 9 + 6 * 11 + 16;
/** Tag and length of a run. */
const RUN_FRAME_BYTES = 8;
/** Runs that are read at once: one with very much to show does not have to be read with all others of its page. */
const CHUNK = { most: 200, everyMetric: 50, metrics: 4_000 } as const;

/** The runs of these ids in this order, as many as fit in one answer; at least one. Those that are gone meanwhile are left out. */
export async function viewFoundRuns(
  deps: Deps,
  ids: readonly string[],
  fields: FoundFields,
  principal: string,
): Promise<{
  readonly runs: readonly tracking.Run[];
  readonly lastId: string | undefined;
  readonly whole: boolean;
}> {
  const size = chunkSize(fields.metrics);
  const shown: tracking.Run[] = [];
  let bytes = 0;
  let lastId: string | undefined;
  for (let begin = 0; begin < ids.length; begin += size) {
    const chunk = ids.slice(begin, begin + size);
    const [favourites, views, metrics] = await Promise.all([
      deps.records.favourites.among(principal, chunk),
      chunkViews(deps, chunk, fields),
      chunkMetrics(deps, chunk, fields.metrics),
    ]);
    for (const id of chunk) {
      const view = views.get(id);
      if (view !== undefined) {
        const run = runToProto({ ...view, metrics: metrics.get(id) ?? [], favourite: favourites.has(id) });
        bytes += bytesOf(run);
        if (bytes > MAX_ANSWER_BYTES && shown.length > 0) return { runs: shown, lastId, whole: false };
        shown.push(run);
      }
      lastId = id;
    }
  }
  return { runs: shown, lastId, whole: true };
}

function chunkSize(metrics: FoundFields["metrics"]): number {
  if (metrics === "all") return CHUNK.everyMetric;
  return Math.max(1, Math.min(CHUNK.most, Math.floor(CHUNK.metrics / Math.max(1, metrics.length))));
}

/** No run's message is longer. */
function bytesOf(run: tracking.Run): number {
  // Metrics can be nearly all of it, and are not encoded only to be measured: a character has three bytes at most.
  const metrics = Object.keys(run.metrics).reduce((sum, key) => sum + METRIC_BYTES + 3 * key.length, 0);
  return toBinary(tracking.RunSchema, { ...run, metrics: {} }).byteLength + metrics + RUN_FRAME_BYTES;
}

async function chunkMetrics(
  deps: Deps,
  ids: readonly string[],
  keys: FoundFields["metrics"],
): Promise<ReadonlyMap<string, readonly SummaryNumbers[]>> {
  return keys.length === 0 ? new Map() : await deps.records.metricSummaries.numbersOf(ids, keys);
}

async function chunkViews(deps: Deps, ids: readonly string[], fields: FoundFields) {
  const records: RunRecord[] = await deps.records.runs.columns(ids, fields);
  const experimentIds = [...new Set(records.map(({ experimentId }) => experimentId))];
  const [experiments, checkpoints] = await Promise.all([
    deps.records.experiments.findMany(experimentIds),
    fields.details ? latestCheckpoints(deps, records) : new Map<string, never>(),
  ]);
  const byId = new Map(experiments.map((experiment) => [experiment.id, experiment]));
  return new Map(
    records.map((run) => [
      run.id,
      { run, experiment: byId.get(run.experimentId), latestCheckpoint: checkpoints.get(run.id) },
    ]),
  );
}

async function latestCheckpoints(deps: Deps, records: readonly RunRecord[]) {
  const found = await Promise.all(
    records.flatMap(({ id, latestCheckpointId }) =>
      latestCheckpointId === undefined
        ? []
        : [deps.records.checkpoints.find(latestCheckpointId).then((checkpoint) => [id, checkpoint] as const)],
    ),
  );
  return new Map(found.flatMap(([id, checkpoint]) => (checkpoint === undefined ? [] : [[id, checkpoint]])));
}
