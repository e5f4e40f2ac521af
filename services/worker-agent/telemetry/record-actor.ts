import { setTimeout as delay } from "node:timers/promises";
import { ConnectError } from "@connectrpc/connect";
import { isDomainError } from "@trainyard/domain";
import type { Frame } from "@trainyard/rank-file";
import { RecordReader } from "@trainyard/rank-file";
import { fromConnectError } from "@trainyard/service";
import { type Logger, recordSpan, withSpan } from "@trainyard/telemetry";
import { type ActOutcome, outcomeOf } from "../domain/act-outcome.ts";
import { backoffMs } from "../domain/backoff.ts";
import { parseRankRecord, type RankRecord, RecordError } from "../domain/rank-record.ts";
import { readJsonIfThere, writeDurably } from "../ranks/durable-file.ts";
import type { Spool } from "../ranks/spool.ts";
import { type ActDeps, actOnRecord, cleanUpAfter } from "./act-on-record.ts";
import { UnusableFileError } from "./open-inside.ts";
import { type PumpSource, TAIL_INTERVAL_MS } from "./pump.ts";
import type { RankIdentity } from "./rank-stream.ts";

const RETRY = { firstMs: 200, maxMs: 10_000 };

/** Spans of records per rank and agent start: a long run with many checkpoints must not flood its trace. */
const MAX_SPANS = 20;

const TRACER = "worker-agent";

export interface RecordActorOptions {
  readonly deps: ActDeps;
  readonly of: RankIdentity;
  readonly spool: Spool;
  readonly traceparent: string;
  readonly source: PumpSource;
  /** Called when tracking says that a newer attempt is open. */
  readonly onFenced: () => void;
  readonly logger: Logger;
}

/**
 * Acts on what a rank says besides numbers (checkpoints, artifacts, the model), in order, each until it is done or
 * refused. It reads the record file for itself, so that an upload that takes minutes keeps no metric waiting. How far it
 * has come is kept in `acted.json`, which only spares work: doing a record again changes nothing.
 */
export class RecordActor {
  readonly #options: RecordActorOptions;
  #spans = 0;
  #fenced = false;

  constructor(options: RecordActorOptions) {
    this.#options = options;
  }

  /** Acts until the rank has ended and all its records are done. Rejects only when the signal aborts. */
  async run(): Promise<void> {
    const { spool, of, source } = this.#options;
    const path = spool.rankPath(of.rank, "acted.json");
    const reader = new RecordReader(
      spool.rankPath(of.rank, "records.bin"),
      offsetIn(await readJsonIfThere(path)),
    );
    try {
      for (;;) {
        // Asked before reading, so that what was written last is seen.
        const last = source.ended();
        source.signal.throwIfAborted();
        const frame = await reader.next();
        if (frame?.content.kind === "object") await this.#handle(frame, frame.content.json, path);
        else if (frame === undefined && last) break;
        else if (frame === undefined) await delay(TAIL_INTERVAL_MS, undefined, { signal: source.signal });
      }
      await writeDurably(path, JSON.stringify({ offset: reader.position }));
    } finally {
      await reader.close();
    }
  }

  async #handle(frame: Frame, json: string, path: string): Promise<void> {
    const record = this.#parse(frame.offset, json);
    if (record === undefined || record.kind === "ignored") return;
    if (record.kind === "first_step") await this.#recordFirstStep(record.atMs);
    else if (!this.#fenced) await this.#actUntilSettled(frame.offset, record);
    await writeDurably(path, JSON.stringify({ offset: frame.end }));
    if (!this.#fenced) await cleanUpAfter(this.#options.deps, record);
  }

  #parse(offset: number, json: string): RankRecord | undefined {
    try {
      return parseRankRecord(json);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      this.#options.logger.warn({ ...this.#options.of, offset, why: error.message }, "a record is skipped");
      return undefined;
    }
  }

  async #actUntilSettled(offset: number, record: RankRecord): Promise<void> {
    const { source, logger, of } = this.#options;
    for (let failures = 0; ; ) {
      source.signal.throwIfAborted();
      try {
        return await this.#act(offset, record);
      } catch (error) {
        source.signal.throwIfAborted();
        const outcome = outcomeOfError(error);
        const facts = { ...of, offset, kind: record.kind, err: error };
        if (outcome === "skip") return logger.warn(facts, "a record is refused, and skipped");
        if (outcome === "fenced") {
          this.#fenced = true;
          logger.warn(facts, "a newer attempt is open: what this one still reports is dropped");
          return this.#options.onFenced();
        }
        failures += 1;
        if (failures === 1) logger.warn(facts, "a record could not be reported; trying on");
        await delay(backoffMs(RETRY, failures, Math.random()), undefined, { signal: source.signal });
      }
    }
  }

  async #act(offset: number, record: RankRecord): Promise<void> {
    const { deps, of, traceparent } = this.#options;
    const act = () => actOnRecord(deps, of, offset, record);
    if (traceparent === "" || this.#spans >= MAX_SPANS) return act();
    this.#spans += 1;
    const attributes = { "trainyard.rank": of.rank, "trainyard.attempt": of.attempt };
    await withSpan(TRACER, `store ${record.kind}`, { parent: traceparent, attributes }, act);
  }

  /** From the rank's start to its first step, as the rank told the time. */
  async #recordFirstStep(atMs: number): Promise<void> {
    const { spool, of, traceparent } = this.#options;
    const started = await spool.rankStart(of.rank);
    recordSpan("first step", {
      tracerName: TRACER,
      parent: traceparent,
      startTime: Math.min(started?.atMs ?? atMs, atMs),
      endTime: atMs,
      attributes: { "trainyard.rank": of.rank, "trainyard.attempt": of.attempt },
    });
  }
}

function offsetIn(value: unknown): number {
  const offset = typeof value === "object" && value !== null && "offset" in value ? value.offset : 0;
  return typeof offset === "number" && Number.isSafeInteger(offset) && offset > 0 ? offset : 0;
}

function outcomeOfError(error: unknown): ActOutcome {
  if (error instanceof UnusableFileError) return "skip";
  if (error instanceof ConnectError || isDomainError(error)) {
    const { code, reason } = fromConnectError(error);
    return outcomeOf(code, reason);
  }
  return "retry";
}
