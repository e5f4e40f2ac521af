import type { Deps } from "../deps.ts";
import { LineAssembler, type OutputLine } from "../domain/line-assembler.ts";
import { missingIn } from "../domain/offset-ranges.ts";
import type { TelemetrySource } from "../domain/telemetry-source.ts";
import type { LogBatch } from "../store/log-batches.ts";
import { readOutput, readOutputBackwards } from "./stored-output.ts";

/** Batches fetched at once of one output. */
const PREFETCH = 32;
const NEWLINE = 0x0a;

/** Lines of one output, and when their last byte was read. */
export interface OutputLines {
  readonly source: TelemetrySource;
  readonly lines: readonly OutputLine[];
}

/**
 * Reads one output of one rank from batch to batch. Bytes that have not arrived stop it, unless it is told that they
 * never will.
 */
export class OutputReader {
  readonly source: TelemetrySource;
  readonly #deps: Deps;
  readonly #assembler: LineAssembler;
  #fetched: LogBatch[] = [];
  /** Where the next batch begins when what lies before it was left out on purpose. */
  #leftOutUpTo = 0;

  constructor(deps: Deps, source: TelemetrySource, position = 0) {
    this.#deps = deps;
    this.source = source;
    this.#assembler = new LineAssembler(position);
  }

  /** When the next batch was observed; undefined when none can be read now. `overGaps`: missing bytes never come. */
  async nextObservedMs(overGaps: boolean): Promise<number | undefined> {
    const position = this.#assembler.position;
    const ends = ({ begin, data }: LogBatch) => begin + data.byteLength;
    this.#fetched = this.#fetched.filter((batch) => ends(batch) > position);
    const head = this.#fetched[0];
    if (head === undefined || head.begin > position) {
      this.#fetched = await readOutput(this.#deps, this.source, position, PREFETCH);
    }
    const next = this.#fetched[0];
    if (next === undefined) return undefined;
    if (next.begin > position && (await this.#isLeftOut(position, next.begin)))
      this.#leftOutUpTo = next.begin;
    const waits = next.begin > position && this.#leftOutUpTo !== next.begin && !overGaps;
    return waits ? undefined : next.observedMs;
  }

  /** Whether bytes that are missing did arrive: then they were over the limit, and are kept nowhere. */
  async #isLeftOut(begin: number, end: number): Promise<boolean> {
    const { runId, attempt, kind } = this.source;
    const stored = await this.#deps.records.storedRanges.ofRun(runId, { attempt, kinds: [kind] });
    const own = stored.find(({ source }) => source.rank === this.source.rank);
    return own !== undefined && missingIn(own.ranges, { begin, end }).length === 0;
  }

  /** The lines that the next batch completes. Call `nextObservedMs` first. */
  read(): OutputLine[] {
    const batch = this.#fetched.shift();
    if (batch === undefined) return [];
    const position = this.#assembler.position;
    const before = batch.begin > position ? this.#assembler.skipTo(batch.begin) : [];
    if (this.#leftOutUpTo === batch.begin && batch.begin > position) {
      before.push({ offset: position, text: leftOutLine(batch.begin - position) });
    }
    return [...before, ...this.#assembler.push(batch.data.subarray(Math.max(0, position - batch.begin)))];
  }

  /** The line without a newline, once nothing follows. */
  flush(): OutputLine[] {
    return this.#assembler.flush();
  }
}

/** What stands for bytes that were left out, so that nobody takes the lines around them for neighbours. */
function leftOutLine(bytes: number): string {
  return `[trainyard: ${bytes} bytes left out here, only the beginning and the end of a long output are kept]`;
}

/** Offset where the last `lines` lines of an output begin; a last line without a newline counts as one. */
export async function tailPosition(deps: Deps, source: TelemetrySource, lines: number): Promise<number> {
  let left = lines;
  let last = true;
  for await (const { begin, data } of readOutputBackwards(deps, source)) {
    // The newline that ends the output's last line begins no other line.
    let at = last && data.at(-1) === NEWLINE ? data.length - 2 : data.length - 1;
    last = false;
    for (; at >= 0; at--) {
      if (data[at] === NEWLINE && --left === 0) return begin + at + 1;
    }
  }
  return 0;
}
