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
import { isDiskFull, readJsonIfThere, writeDurably } from "../ranks/durable-file.ts";
import type { Spool } from "../ranks/spool.ts";
import { type ActDeps, actOnRecord, cleanUpAfter } from "./act-on-record.ts";
import type { HaltWatch } from "./halt-watch.ts";
import { UnusableFileError } from "./open-inside.ts";
import { type AttemptSource, TAIL_INTERVAL_MS } from "./pump.ts";
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
  readonly source: AttemptSource;
  /** Called when tracking says that a newer attempt is open. */
  readonly onFenced: () => void;
  readonly halt: HaltWatch;
  /** Called when tracking has taken the rank's part of the checkpoint at this step, also for those of before a restart. */
  readonly onCheckpoint: (step: number) => void;
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
  #checkpointStep: number | undefined;

  constructor(options: RecordActorOptions) {
    this.#options = options;
  }

  /** Acts until the rank has ended and all its records are done. Rejects only when the signal aborts. */
  async run(): Promise<void> {
    const { spool, of, source } = this.#options;
    const path = spool.rankPath(of.rank, "acted.json");
    const acted = await readJsonIfThere(path);
    this.#checkpointed(checkpointStepIn(acted));
    const reader = new RecordReader(spool.rankPath(of.rank, "records.bin"), numberIn(acted, "offset") ?? 0);
    try {
      for (;;) {
        // Asked before reading, so that what was written last is seen.
        const last = source.ended();
        source.signal.throwIfAborted();
        const frame = await reader.next();
        // Here too, so that no checkpoint is reported before the points that were logged before it are known.
        if (frame !== undefined) this.#options.halt.see(of.rank, frame);
        if (frame?.content.kind === "object") await this.#handle(frame, frame.content.json, path);
        else if (frame === undefined && last) break;
        else if (frame === undefined) await delay(TAIL_INTERVAL_MS, undefined, { signal: source.signal });
      }
      await this.#noteActed(path, reader.position);
    } finally {
      await reader.close();
    }
  }

  async #handle(frame: Frame, json: string, path: string): Promise<void> {
    const record = this.#parse(frame.offset, json);
    if (record === undefined || record.kind === "ignored") return;
    if (record.kind === "phase") return;
    if (record.kind === "first_step") await this.#recordFirstStep(record.atMs);
    else if (this.#options.halt.refuses(record)) this.#refuse(frame.offset, record);
    else if (!this.#fenced) await this.#actUntilSettled(frame.offset, record);
    await this.#noteActed(path, frame.end);
    if (!this.#fenced) await cleanUpAfter(this.#options.deps, record);
  }

  #refuse(offset: number, { kind }: RankRecord): void {
    const { of, halt, logger } = this.#options;
    logger.warn(
      { ...of, offset, kind, halted: halt.halted },
      "a record is not kept: a watched metric was not finite",
    );
  }

  #checkpointed(step: number | undefined): void {
    if (step === undefined) return;
    this.#checkpointStep = step;
    this.#options.onCheckpoint(step);
  }

  async #noteActed(path: string, offset: number): Promise<void> {
    const checkpointStep = this.#checkpointStep;
    const acted = JSON.stringify({ offset, ...(checkpointStep === undefined ? {} : { checkpointStep }) });
    try {
      await writeDurably(path, acted);
    } catch (error) {
      // It only spares work; and what is stored elsewhere by now frees the disk next.
      if (!isDiskFull(error)) throw error;
      this.#options.logger.warn(
        { ...this.#options.of, offset, err: error },
        "how far records are acted upon is not noted: the disk is full",
      );
    }
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
        await this.#act(offset, record);
        return record.kind === "checkpoint" ? this.#checkpointed(record.step) : undefined;
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

function checkpointStepIn(value: unknown): number | undefined {
  return numberIn(value, "checkpointStep");
}

/** A whole number, not negative, that the agent wrote there. */
function numberIn(value: unknown, name: string): number | undefined {
  const found: unknown =
    typeof value === "object" && value !== null
      ? Object.entries(value).find(([key]) => key === name)?.[1]
      : undefined;
  return typeof found === "number" && Number.isSafeInteger(found) && found >= 0 ? found : undefined;
}

function outcomeOfError(error: unknown): ActOutcome {
  if (error instanceof UnusableFileError) return "skip";
  if (error instanceof ConnectError || isDomainError(error)) {
    const { code, reason } = fromConnectError(error);
    return outcomeOf(code, reason);
  }
  return "retry";
}
