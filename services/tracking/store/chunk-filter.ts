import type { Filter } from "mongodb";
import type { PointRange } from "../domain/point-range.ts";
import { samplesOf } from "../domain/telemetry-source.ts";
import type { VisibleHistory } from "../domain/visible-history.ts";
import type { MetricChunkDocument } from "./chunk-document.ts";

/** Which chunks to read. */
export interface ChunkQuery {
  readonly runId: string;
  readonly history: VisibleHistory;
  /** Empty means all. */
  readonly keys: readonly string[];
  readonly rank?: number | undefined;
  readonly range: PointRange;
}

/** Finds what a query touches; of several keys, more than that. */
export function filterOf({ runId, history, keys, rank, range }: ChunkQuery): Filter<MetricChunkDocument> {
  const visible = [...history].flatMap(([attempt, visibility]): Filter<MetricChunkDocument>[] => {
    if (visibility.kind === "whole") return [{ attempt }];
    return visibility.offsets.map((prefix) => ({
      attempt,
      rank: prefix.rank,
      offsetLow: { $lt: prefix.offset },
    }));
  });
  const [minStep, maxStep] = [range.minStep, range.maxStep];
  const [minTimeMs, maxTimeMs] = [range.minTimeMs, range.maxTimeMs];
  return {
    runId,
    ...keysFilter(keys),
    $and: [
      { $or: [...visible, { rank: { $lt: 0 } }] },
      ...(rank === undefined ? [] : [{ rank: { $in: [rank, samplesOf(rank)] } }]),
      ...(minStep === undefined ? [] : [{ stepHigh: { $gte: minStep } }]),
      ...(maxStep === undefined ? [] : [{ stepLow: { $lte: maxStep } }]),
      ...(minTimeMs === undefined ? [] : [{ timeHigh: { $gte: minTimeMs } }]),
      ...(maxTimeMs === undefined ? [] : [{ timeLow: { $lte: maxTimeMs } }]),
    ],
  };
}

function keysFilter(keys: readonly string[]): Filter<MetricChunkDocument> {
  if (keys.length === 0) return {};
  const sorted = [...keys].sort();
  const [lowest = "", highest = lowest] = [sorted[0], sorted.at(-1)];
  // One key is found by the index; of several, what lies between them is looked at and left out.
  return { keyLow: { $lte: highest }, keyHigh: { $gte: lowest } };
}
