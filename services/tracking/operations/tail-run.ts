import type { Deps } from "../deps.ts";
import { comparePoints, type MetricPoint } from "../domain/metric-point.ts";
import { pointsOf } from "../domain/metric-summary.ts";
import { newSince, type OffsetRange, type OffsetRanges } from "../domain/offset-ranges.ts";
import type { RunRecord } from "../domain/run-record.ts";
import { isFinal } from "../domain/run-status.ts";
import { type RankSource, sourceKey } from "../domain/telemetry-source.ts";
import { visibleEnd, visibleHistory } from "../domain/visible-history.ts";
import type { StoredBatch } from "../store/metric-batch-document.ts";
import type { Scope } from "../store/session.ts";
import { runMetrics } from "./run-metrics.ts";
import { type RunView, viewRun } from "./run-view.ts";

/** How often is looked for what was stored without a word of it coming here. */
export const POLL_MS = 250;
/** Points in one message of a tail. */
const MAX_POINTS_PER_MESSAGE = 10_000;

/** What was stored since the last one. */
export interface TailUpdate {
  readonly points: readonly MetricPoint[];
  readonly view?: RunView;
}

/**
 * Follows a run until it has ended: first the last point of each key, then points as they are stored, each once. What is
 * new is found by comparing stored ranges, so neither clocks nor the order of commits can hide a point.
 */
export async function* tailRun(
  deps: Deps,
  runId: string,
  keys: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<TailUpdate> {
  const listener = deps.signals.listen(runId);
  try {
    const first = await deps.store.transaction("begin tail", async (tx) => {
      const run = await deps.records.runs.find(runId, tx);
      if (run === undefined) return undefined;
      const summaries = await runMetrics(deps, run, { keys, scope: tx });
      const sources = await deps.records.storedRanges.ofRun(runId, { kinds: ["records"], scope: tx });
      const calls = await deps.records.metrics.callsSince(runId, deps.now().getTime() - CALL_WINDOW_MS, tx);
      return {
        view: await viewRun(deps, run, tx),
        points: summaries.map(({ last }) => last),
        sources,
        calls,
      };
    });
    if (first === undefined) return;
    yield { points: first.points, view: first.view };
    let { run } = first.view;
    const sent = new Map(first.sources.map(({ source, ranges }) => [sourceKey(source), ranges]));
    const nextCalls = callPoints(deps, runId, keys, first.calls);
    while (!isFinal(run.status) && !signal.aborted) {
      deps.signals.follow(runId);
      await listener.next(POLL_MS, signal);
      // Read before the ranges: once it has ended, every range that counts is there.
      const now = (await deps.records.runs.find(runId)) ?? run;
      const points = [...(await newPoints(deps, now, keys, sent)), ...(await nextCalls())].sort(
        comparePoints,
      );
      yield* updatesOf(points, now.version === run.version ? undefined : await viewRun(deps, now));
      run = now;
    }
  } finally {
    listener.close();
  }
}

/** The visible points that were stored since, and marks them as sent. */
async function newPoints(
  deps: Deps,
  run: RunRecord,
  keys: readonly string[],
  sent: Map<string, OffsetRanges>,
): Promise<MetricPoint[]> {
  const history = visibleHistory(run.attempts);
  return deps.store.snapshot(async (moment) => {
    const points: MetricPoint[] = [];
    const found = await deps.records.storedRanges.ofRun(run.id, { kinds: ["records"], scope: moment });
    for (const { source, ranges } of found) {
      const { rank, attempt } = source;
      const end = visibleEnd(history, attempt, rank);
      for (const range of newSince(sent.get(sourceKey(source)) ?? [], ranges)) {
        if (range.begin >= end) continue;
        for (const { batch } of await readRange(deps, source, range, moment)) {
          for (const point of pointsOf(batch, { rank, attempt }, Math.min(end, range.end), range.begin)) {
            if (keys.length === 0 || keys.includes(point.key)) points.push(point);
          }
        }
      }
    }
    for (const { source, ranges } of found) sent.set(sourceKey(source), ranges);
    return points;
  });
}

/** The points of a rank's range, whether they are packed by now or not. */
async function readRange(
  deps: Deps,
  source: RankSource,
  range: OffsetRange,
  scope: Scope,
): Promise<StoredBatch[]> {
  const { metrics, metricChunks } = deps.records;
  const packed = await metricChunks.readRange(source, range, scope);
  return [...packed, ...(await metrics.readRange(source, range, scope))];
}

/** Longest between a call's batch getting its time and being seen by every reader. */
const CALL_WINDOW_MS = 30_000;

/** Gives the points of calls that were stored since the last time, or are not among the `known` batches. */
function callPoints(
  deps: Deps,
  runId: string,
  keys: readonly string[],
  known: ReadonlyMap<string, number>,
): () => Promise<MetricPoint[]> {
  let seen = known;
  const begun = deps.now().getTime();
  return async () => {
    const since = Math.max(begun, ...seen.values()) - CALL_WINDOW_MS;
    const found = await deps.records.metrics.readCalls(runId, since);
    const fresh = found.filter(({ id }) => !seen.has(id));
    // Only what the next look finds again must be remembered.
    seen = new Map(found.map(({ id, batch }) => [id, batch.begin]));
    return fresh.flatMap(({ source, batch }) =>
      [...pointsOf(batch, source)].filter(({ key }) => keys.length === 0 || keys.includes(key)),
    );
  };
}

function* updatesOf(points: readonly MetricPoint[], view: RunView | undefined): Generator<TailUpdate> {
  for (let from = 0; from + MAX_POINTS_PER_MESSAGE < points.length; from += MAX_POINTS_PER_MESSAGE) {
    yield { points: points.slice(from, from + MAX_POINTS_PER_MESSAGE) };
  }
  const rest = points.slice(
    Math.floor(Math.max(points.length - 1, 0) / MAX_POINTS_PER_MESSAGE) * MAX_POINTS_PER_MESSAGE,
  );
  if (rest.length > 0 || view !== undefined) yield { points: rest, ...(view === undefined ? {} : { view }) };
}
