import type { Deps } from "../deps.ts";
import { MAX_RANGES } from "../domain/limits.ts";
import { type MetricBatch, trimMetricBatch } from "../domain/metric-batch.ts";
import { addRange, missingIn, type OffsetRange, type OffsetRanges } from "../domain/offset-ranges.ts";
import { samplesOf, sourceKey, type TelemetrySource } from "../domain/telemetry-source.ts";
import type { LogBatch } from "../store/log-batches.ts";
import { creatingTransaction } from "../store/session.ts";
import { archiveTime } from "./end-run.ts";

/** One batch as it came from the stream, checked. */
export type TelemetryItem = {
  readonly source: TelemetrySource;
  readonly project: string;
} & (
  | { readonly kind: "metrics"; readonly batch: MetricBatch }
  | { readonly kind: "logs"; readonly batch: LogBatch }
);

/** What became of a batch: stored (now or before), or too far out of order to be stored yet. */
export type StoreOutcome = "stored" | "too-many-gaps";

/**
 * Stores batches of any ranks in one transaction: what of each is new, and with it which ranges are stored. The stored
 * ranges are written in the same transaction as the points, so two writers of one rank conflict, and one of them runs
 * again and finds nothing left to do.
 */
export async function storeTelemetry(deps: Deps, items: readonly TelemetryItem[]): Promise<StoreOutcome[]> {
  const { storedRanges, metrics, logs, logArchives } = deps.records;
  return creatingTransaction(deps.store, "store telemetry", async (tx) => {
    const known = await storedRanges.read(
      tx,
      items.map(({ source }) => source),
    );
    const plan = planGroup(known, items);
    await metrics.insert(tx, plan.metrics);
    await logs.insert(tx, plan.logs);
    if (plan.logs.length > 0) {
      const runIds = new Set(plan.logs.map(({ source }) => source.runId));
      await logArchives.cameLate(tx, [...runIds], archiveTime(deps));
    }
    await storedRanges.write(tx, [...plan.changed.values()]);
    return plan.outcomes;
  });
}

/** Decides what of each item is new, each after those before it. */
function planGroup(known: ReadonlyMap<string, OffsetRanges>, items: readonly TelemetryItem[]) {
  const changed = new Map<string, { source: TelemetrySource; project: string; ranges: OffsetRanges }>();
  const metrics: { source: TelemetrySource; project: string; batch: MetricBatch }[] = [];
  const logs: { source: TelemetrySource; project: string; batch: LogBatch }[] = [];
  const outcomes = items.map((item): StoreOutcome => {
    const { source, project } = item;
    const key = sourceKey(source);
    const stored = changed.get(key)?.ranges ?? known.get(key) ?? [];
    const range = item.kind === "metrics" ? item.batch : logRange(item.batch);
    const ranges = addRange(stored, range);
    if (ranges.length > MAX_RANGES && ranges.length > stored.length) return "too-many-gaps";
    const missing = missingIn(stored, range);
    if (missing.length === 0) return "stored";
    changed.set(key, { source, project, ranges });
    if (item.kind === "metrics") {
      const pieces = trimMetricBatch(stored, item.batch).pieces.filter(({ offsets }) => offsets.length > 0);
      const own = source.kind === "samples" ? { ...source, rank: samplesOf(source.rank) } : source;
      metrics.push(...pieces.map((batch) => ({ source: own, project, batch })));
    } else {
      const pieces = missing
        .map((piece) => sliceLog(item.batch, piece))
        .filter(({ data }) => data.length > 0);
      logs.push(...pieces.map((batch) => ({ source, project, batch })));
    }
    return "stored";
  });
  return { changed, metrics, logs, outcomes };
}

function logRange({ begin, data, leftOutBytes }: LogBatch): OffsetRange {
  return { begin, end: begin + data.byteLength + leftOutBytes };
}

function sliceLog(batch: LogBatch, { begin, end }: OffsetRange): LogBatch {
  return { ...batch, begin, data: batch.data.subarray(begin - batch.begin, end - batch.begin) };
}
