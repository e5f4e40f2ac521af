import { toBinary } from "@bufbuild/protobuf";
import { tracking } from "@trainyard/contracts";
import type { Deps } from "../deps.ts";
import type { MetricSummary } from "../domain/metric-summary.ts";
import type { RunRecord } from "../domain/run-record.ts";
import type { RunColumns } from "../store/runs.ts";
import { runToProto } from "../wire/run-to-proto.ts";

/** What of found runs is shown. */
export interface FoundFields extends RunColumns {
  readonly metrics: readonly string[] | "all";
}

/** Bytes of runs in one answer: below the size of a message that clients accept. */
const MAX_ANSWER_BYTES = 3_500_000;
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
        bytes += toBinary(tracking.RunSchema, run).byteLength + 8;
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

async function chunkMetrics(
  deps: Deps,
  ids: readonly string[],
  keys: FoundFields["metrics"],
): Promise<ReadonlyMap<string, readonly MetricSummary[]>> {
  if (keys.length === 0) return new Map();
  const { metricSummaries } = deps.records;
  const found =
    keys === "all"
      ? new Map(await Promise.all(ids.map(async (id) => [id, await metricSummaries.ofRun(id, [])] as const)))
      : await metricSummaries.ofRuns(ids, keys);
  return new Map([...found].map(([id, byKey]) => [id, [...byKey.values()]]));
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
