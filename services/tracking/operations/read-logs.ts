import type { Deps } from "../deps.ts";
import type { OutputLine } from "../domain/line-assembler.ts";
import type { RunRecord } from "../domain/run-record.ts";
import { isFinal } from "../domain/run-status.ts";
import { sourceKey } from "../domain/telemetry-source.ts";
import { type OutputLines, OutputReader, tailPosition } from "./output-reader.ts";
import { POLL_MS } from "./tail-run.ts";

/** What to read. */
export interface LogQuery {
  readonly rank?: number | undefined;
  /** 0 means all. */
  readonly attempt: number;
  readonly follow: boolean;
  /** Per rank, before following; 0 means all. */
  readonly tailLines: number;
}

/**
 * The ranks' output as whole lines: attempt after attempt, and within one in the order in which agents read it. With
 * `follow` it goes on until the run has ended.
 */
export async function* readLogs(
  deps: Deps,
  run: RunRecord,
  query: LogQuery,
  signal: AbortSignal,
): AsyncGenerator<OutputLines> {
  const listener = deps.signals.listen(run.id);
  const readers = new Map<string, OutputReader>();
  try {
    let now = run;
    for (let first = true; ; first = false) {
      await addReaders(deps, now, query, readers, first);
      const pass = readPass([...readers.values()], (attempt) => isOver(now, attempt, query), signal);
      if (first && query.tailLines > 0) yield* await lastLines(pass, query.tailLines);
      else yield* pass;
      if (!query.follow || isFinal(now.status) || signal.aborted) return;
      deps.signals.follow(run.id);
      await listener.next(POLL_MS, signal);
      // Read before the batches: once it has ended, every byte that ever comes is there.
      now = (await deps.records.runs.find(run.id)) ?? now;
    }
  } finally {
    listener.close();
  }
}

/** Whether bytes that are missing of an attempt's output will not come. While following, late ones are waited for. */
function isOver(run: RunRecord, attempt: number, { follow }: LogQuery): boolean {
  return isFinal(run.status) || (!follow && attempt < run.currentAttempt);
}

async function addReaders(
  deps: Deps,
  run: RunRecord,
  { rank, attempt, tailLines }: LogQuery,
  readers: Map<string, OutputReader>,
  first: boolean,
): Promise<void> {
  const found = await deps.records.storedRanges.ofRun(run.id, {
    kinds: ["stdout", "stderr"],
    ...(attempt === 0 ? {} : { attempt }),
  });
  for (const { source } of found) {
    if (readers.has(sourceKey(source)) || (rank !== undefined && source.rank !== rank)) continue;
    const position = first && tailLines > 0 ? await tailPosition(deps, source, tailLines) : 0;
    readers.set(sourceKey(source), new OutputReader(deps, source, position));
  }
}

/** Everything that can be read now. */
async function* readPass(
  readers: readonly OutputReader[],
  over: (attempt: number) => boolean,
  signal: AbortSignal,
): AsyncGenerator<OutputLines> {
  const attempts = [...new Set(readers.map(({ source }) => source.attempt))].sort((a, b) => a - b);
  for (const attempt of attempts) {
    const ofAttempt = readers.filter(({ source }) => source.attempt === attempt).sort(bySource);
    for (;;) {
      const next = await earliest(ofAttempt, over(attempt));
      if (next === undefined || signal.aborted) break;
      const lines = next.read();
      if (lines.length > 0) yield { source: next.source, lines };
    }
    if (!over(attempt)) continue;
    for (const reader of ofAttempt) {
      const lines = reader.flush();
      if (lines.length > 0) yield { source: reader.source, lines };
    }
  }
}

/** The reader whose next batch was observed first. */
async function earliest(
  readers: readonly OutputReader[],
  overGaps: boolean,
): Promise<OutputReader | undefined> {
  let best: { readonly reader: OutputReader; readonly at: number } | undefined;
  for (const reader of readers) {
    const at = await reader.nextObservedMs(overGaps);
    if (at !== undefined && (best === undefined || at < best.at)) best = { reader, at };
  }
  return best?.reader;
}

/** The last lines of each rank, in the order in which they came. */
async function lastLines(pass: AsyncIterable<OutputLines>, count: number): Promise<OutputLines[]> {
  const all: { readonly source: OutputLines["source"]; readonly line: OutputLine }[] = [];
  for await (const { source, lines } of pass) all.push(...lines.map((line) => ({ source, line })));
  const left = new Map<number, number>();
  const kept: OutputLines[] = [];
  for (const { source, line } of all.reverse()) {
    const room = left.get(source.rank) ?? count;
    if (room === 0) continue;
    left.set(source.rank, room - 1);
    kept.push({ source, lines: [line] });
  }
  return kept.reverse();
}

function bySource(a: OutputReader, b: OutputReader): number {
  return a.source.rank - b.source.rank || (a.source.kind < b.source.kind ? 1 : -1);
}
