import { crashPoint } from "@trainyard/failpoint";
import type { Deps } from "../deps.ts";
import { FULL_SEGMENT, type PlannedChunk, planChunks, segmentsOf } from "../domain/metric-segment.ts";
import type { RankSource } from "../domain/telemetry-source.ts";
import { CALL_RANK } from "../domain/telemetry-source.ts";

/** Batches and points packed in one transaction. */
const MAX_BATCHES = 500;
const MAX_POINTS = 131_072;
/** Batches are left alone for so long: live tails look for the newest among them, and of calls for longer. */
const MIN_AGE_MS = 2_000;
const MIN_CALL_AGE_MS = 60_000;

/**
 * Packs what is folded of a run into chunks. The work is done outside of any transaction, on documents that nobody
 * changes; then one transaction removes the batches and earlier chunks and puts the new chunks in their place. If any of
 * them is gone by then, another replica was faster and nothing is written. What is stored of a rank stays written in its
 * stored ranges, so a batch that is delivered again finds itself stored although it is in no batch any more.
 */
export async function packMetrics(deps: Deps, runId: string, signal: AbortSignal): Promise<void> {
  const { metrics } = deps.records;
  const nowMs = deps.now().getTime();
  for (const source of await metrics.foldedSources(runId)) {
    const age = source.rank === CALL_RANK ? MIN_CALL_AGE_MS : MIN_AGE_MS;
    while (!signal.aborted && (await packSome(deps, source, new Date(nowMs - age))));
  }
}

/** Returns whether there may be more. */
async function packSome(deps: Deps, source: RankSource, before: Date): Promise<boolean> {
  const { metrics, metricChunks, metricStates } = deps.records;
  const batches = await metrics.folded(source, before, MAX_BATCHES, MAX_POINTS);
  const [first] = batches;
  if (first === undefined) return false;
  const earlier = await metricChunks.open(source);
  const chunks = planChunks(
    segmentsOf(
      batches.map(({ batch }) => batch),
      earlier.segments,
    ),
  );
  const points = batches.reduce((sum, { batch }) => sum + batch.values.length, 0);
  const openBefore = earlier.segments.reduce((sum, { values }) => sum + values.length, 0);
  const change = { batches: batches.length, points, openPoints: openPointsOf(chunks) - openBefore };
  try {
    await deps.store.transaction("pack metrics", async (tx) => {
      const removed = (await metrics.remove(tx, batches)) && (await metricChunks.remove(tx, earlier.ids));
      if (!removed) throw new PackedElsewhere();
      await metricChunks.insert(tx, source, first.project, chunks);
      await metricStates.packed(tx, source.runId, change);
      crashPoint("tracking.metrics.packing");
    });
  } catch (error) {
    if (error instanceof PackedElsewhere) return false;
    throw error;
  }
  crashPoint("tracking.metrics.packed");
  return true;
}

/** Another replica has packed these batches meanwhile. */
class PackedElsewhere extends Error {
  override readonly name = "PackedElsewhere";
}

function openPointsOf(chunks: readonly PlannedChunk[]): number {
  return chunks
    .filter(({ open }) => open)
    .flatMap(({ segments }) => segments)
    .reduce((sum, { values }) => sum + values.length, 0);
}

/** Batches and points that are worth packing at once. */
const MANY_BATCHES = 512;
const MANY_POINTS = 4 * FULL_SEGMENT;
/** Fewer are packed when nothing has come for a while; hardly any are left as they are. */
const IDLE_MS = 60_000;
const SOME_BATCHES = 8;
const SOME_POINTS = 256;
/** What is open is packed again each time, so it must not be much more than what comes to it. */
const OPEN_SHARE = 4;

interface Loose {
  readonly looseBatches: number;
  readonly loosePoints: number;
  readonly openPoints: number;
}

/** When what is loose shall be packed, given that something was folded just now; undefined for never. */
export function packTime(state: Loose, now: Date): Date | undefined {
  if (isMany(state)) return now;
  const isSome = state.looseBatches >= SOME_BATCHES || state.loosePoints >= SOME_POINTS;
  return isSome ? new Date(now.getTime() + IDLE_MS) : undefined;
}

/** When to look again, given that what is old enough has been packed just now; undefined when nothing is left. */
export function packAgainTime(state: Loose | undefined, now: Date): Date | undefined {
  if (state === undefined || state.looseBatches === 0) return undefined;
  return new Date(now.getTime() + (isMany(state) ? MIN_AGE_MS : IDLE_MS));
}

function isMany({ looseBatches, loosePoints, openPoints }: Loose): boolean {
  return looseBatches >= MANY_BATCHES || loosePoints >= Math.max(MANY_POINTS, openPoints / OPEN_SHARE);
}
