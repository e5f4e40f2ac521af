/** A run of which the same happens in the database and in the model. */
import { newId } from "@trainyard/domain";
import fc from "fast-check";
import { expect } from "vitest";
import type { Deps } from "./deps.ts";
import type { MetricBatch } from "./domain/metric-batch.ts";
import type { RunRecord } from "./domain/run-record.ts";
import type { CallJournal } from "./journal/call-journal.ts";
import type { CallStream } from "./journal/call-stream.ts";
import { foldMetrics } from "./operations/fold-metrics.ts";
import { createMetricCalls } from "./operations/log-metrics.ts";
import { openAttempt } from "./operations/open-attempt.ts";
import { packMetrics } from "./operations/pack-metrics.ts";
import { reportCheckpointPart } from "./operations/report-checkpoint-part.ts";
import { storeTelemetry } from "./operations/store-telemetry.ts";
import { encodeCallDocument } from "./store/metric-batch-document.ts";
import { type Change, type FileRecord, keys, Model, type Point, RANKS } from "./test-metric-model.ts";

/** A run in the database, and what it should be. */
export interface World {
  readonly deps: Deps;
  readonly model: Model;
  readonly runId: string;
  readonly jobId: string;
  /** Where replicas have put calls that died since. */
  readonly orphans: CallStream;
}

/** A run whose first attempt is open. */
export async function begin(deps: Deps, orphans: CallStream): Promise<World> {
  const [runId, jobId] = [newId("run"), newId("job")];
  await openAttempt(deps, { runId, jobId, project: "default", actor: "service:scheduler", attempt: 1 });
  return { deps, model: new Model(), runId, jobId, orphans };
}

/** Lets it happen, in the database and in the model. */
export async function apply(world: World, each: Change): Promise<void> {
  const { model } = world;
  switch (each.kind) {
    case "write":
      return write(model, each.rank, each.records);
    case "deliver":
      return deliver(world, each);
    case "call":
      return call(world, each);
    case "attempt":
      return resume(world, each.resumes ? each.shares : undefined);
    case "fold":
      return fold(world);
    case "pack":
      return pack(world);
    case "race":
      // As replicas that disagree for a moment about whose run it is.
      await Promise.all([1, 2].flatMap(() => [fold(world), pack(world)]));
  }
}

export const fold = ({ deps, runId }: World) => foldMetrics(deps, runId);
export const pack = ({ deps, runId }: World) => packMetrics(deps, runId, new AbortController().signal);

/** Appends records to a rank's file. */
export function write(model: Model, rank: number, records: readonly (readonly Point[])[]): void {
  const file = model.file(model.attempt, rank);
  for (const points of records) {
    const begin = file.at(-1)?.end ?? 0;
    // Points of one record have its step and time.
    const { step = 0, timeMs = 0 } = points[0] ?? {};
    const byKey = new Map(points.map((each) => [each.key, { ...each, step, timeMs }]));
    file.push({ begin, end: begin + 7 + points.length, points: [...byKey.values()] });
  }
}

/** Stores a part of a rank's file, as its agent sends it. */
export async function deliver(world: World, each: Extract<Change, { kind: "deliver" }>): Promise<void> {
  const { deps, model, runId } = world;
  const attempt = (each.attempt % model.attempt) + 1;
  const file = model.file(attempt, each.rank);
  const [low, high] = [Math.min(each.from, each.to), Math.max(each.from, each.to)];
  const records = file.slice(Math.floor(low * file.length), Math.ceil(high * file.length));
  if (records.length === 0) return;
  const source = { runId, attempt, rank: each.rank, kind: "records" as const };
  const item = { source, project: "default", kind: "metrics" as const, batch: batchOf(records) };
  // Twice in one group is how it comes when an answer was lost.
  expect(await storeTelemetry(deps, each.twice ? [item, item] : [item])).not.toContain("too-many-gaps");
  model.deliver(attempt, each.rank, records);
}

function batchOf(records: readonly FileRecord[]): MetricBatch {
  const all = records.flatMap((record) => record.points.map((each) => ({ ...each, offset: record.begin })));
  return {
    begin: records[0]?.begin ?? 0,
    end: records.at(-1)?.end ?? 0,
    keys,
    keyIndex: Uint16Array.from(all, ({ key }) => keys.indexOf(key)),
    steps: Float64Array.from(all, ({ step }) => step),
    timesMs: Float64Array.from(all, ({ timeMs }) => timeMs),
    values: Float64Array.from(all, (each) => each.value),
    offsets: Float64Array.from(all, ({ offset }) => offset),
  };
}

async function call(world: World, { points, times, by }: Extract<Change, { kind: "call" }>): Promise<void> {
  const { deps, model, orphans } = world;
  const run = await runOf(world);
  const batch = batchOf([{ begin: 0, end: 0, points }]);
  const name = by === "id" ? { requestId: newId("req") } : { requestId: "", namedByPoints: true };
  // An actor of its own, since the same points again would be the same call.
  const asked = { run, points: batch, actor: `user:${newId("req")}`, ...name };
  const dying: CallJournal = {
    async append(document) {
      await orphans.append(document.runId, encodeCallDocument(document));
      return true;
    },
    settled: async () => undefined,
  };
  if (by === "orphan") await createMetricCalls({ ...deps, journal: dying }).log(asked);
  const calls = createMetricCalls(deps);
  await Promise.all(Array.from({ length: by === "orphan" ? times - 1 : times }, () => calls.log(asked)));
  model.calls.push(...points);
  await deps.journal.settled(run.id);
}

/** Opens another attempt; of each rank it has the share of the records that its checkpoint had. */
export async function resume(
  { deps, model, runId, jobId }: World,
  shares: readonly number[] | undefined,
): Promise<void> {
  const attempt = model.attempt;
  const ends = shares?.map((share, rank) => {
    const file = model.file(attempt, rank);
    return file[Math.floor(share * file.length) - 1]?.end ?? 0;
  });
  for (const [rank, recordsOffset] of ends?.entries() ?? []) {
    await reportCheckpointPart(deps, {
      runId,
      attempt,
      nodeId: "n1",
      actor: "agent:n1",
      worldSize: RANKS,
      step: 1_000 + attempt,
      kind: "periodic",
      part: { rank, recordsOffset, files: [] },
      metrics: [],
    });
  }
  const opened = { runId, jobId, project: "default", actor: "service:scheduler", attempt: attempt + 1 };
  const from = await openAttempt(deps, opened);
  // Without a checkpoint of its own, an older one in the history may still be the newest.
  model.resumes.push(
    from?.attempt === attempt ? from.parts.map(({ recordsOffset }) => recordsOffset) : undefined,
  );
  if (from !== undefined && from.attempt !== attempt) throw new fc.PreconditionFailure();
}

export async function runOf({ deps, runId }: World): Promise<RunRecord> {
  const run = await deps.records.runs.find(runId);
  if (run === undefined) throw new Error("no run");
  return run;
}
