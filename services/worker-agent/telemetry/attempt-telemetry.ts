import { setTimeout as delay } from "node:timers/promises";
import type { BlobStore } from "@trainyard/blob";
import { fromConnectError } from "@trainyard/service";
import type { Logger } from "@trainyard/telemetry";
import type { Assignment } from "../domain/assignment.ts";
import { backoffMs } from "../domain/backoff.ts";
import type { NonFinite } from "../domain/non-finite.ts";
import type { BusLink } from "../heartbeat/bus-link.ts";
import { secretValues } from "../prepare/place-secrets.ts";
import type { Spool } from "../ranks/spool.ts";
import type { TrackingClient } from "./act-on-record.ts";
import { TelemetryBundler } from "./bundler.ts";
import { FollowWatch } from "./follow-watch.ts";
import { HaltWatch } from "./halt-watch.ts";
import { LogPump } from "./log-pump.ts";
import { MetricPump } from "./metric-pump.ts";
import { trimOutputs } from "./output-trimmer.ts";
import type { TelemetryPublisher } from "./publisher.ts";
import type { AttemptSource, Pump } from "./pump.ts";
import { RankProgress } from "./rank-progress.ts";
import { rankIdentity, type StreamName } from "./rank-stream.ts";
import { RecordActor } from "./record-actor.ts";

/** How long a restarted agent waits for tracking to say what it has, before it sends everything again. */
const ASK_OFFSETS_MS = 3_000;
const CONFIRM_INTERVAL_MS = 200;
/** What was published and is not confirmed after so long, without any progress, is published again. */
const RESEND_AFTER_MS = 15_000;
const RETRY = { firstMs: 200, maxMs: 5_000 };

export interface AttemptTelemetryOptions {
  readonly assignment: Assignment;
  readonly spool: Spool;
  readonly link: BusLink;
  readonly publisher: TelemetryPublisher;
  readonly tracking: TrackingClient;
  readonly blobs: BlobStore;
  readonly source: AttemptSource;
  readonly onFenced: () => void;
  /** Called once, when a watched metric was NaN or infinite. */
  readonly onHalted: () => void;
  /** Called whenever something that the heartbeat tells at once has changed. */
  readonly onChange: () => void;
  readonly logger: Logger;
}

type Offsets = Readonly<Record<StreamName, number>>;
const nothing: Offsets = { records: 0, stdout: 0, stderr: 0 };

/** Ships everything that the ranks of an attempt record, acts on it, and knows when all of it is stored. */
export class AttemptTelemetry {
  readonly #options: AttemptTelemetryOptions;
  readonly #progress: ReadonlyMap<number, RankProgress>;
  readonly #halt: HaltWatch;
  readonly #follow: FollowWatch;
  readonly #bundler: TelemetryBundler;

  constructor(options: AttemptTelemetryOptions) {
    this.#options = options;
    this.#follow = new FollowWatch(options.link, options.assignment.runId);
    this.#bundler = new TelemetryBundler(options.assignment, options.publisher, options.source.signal);
    this.#halt = new HaltWatch(options.assignment.work.haltOnNonFinite ?? [], options.onHalted);
    this.#progress = new Map(options.assignment.ranks.map(({ rank }) => [rank, new RankProgress()]));
  }

  /** The first watched point that was NaN or infinite. */
  get halted(): NonFinite | undefined {
    return this.#halt.halted;
  }

  progress(rank: number): RankProgress | undefined {
    return this.#progress.get(rank);
  }

  /**
   * Works until the ranks have ended and all that they recorded is published and acted upon; then until tracking has
   * confirmed it. `resumed` says that an earlier agent may have shipped some of it. Rejects only when the signal aborts.
   */
  async run(resumed: boolean, onPublished: () => void): Promise<void> {
    const { assignment, source } = this.#options;
    const secrets = await secretValues(this.#options.spool.dir);
    const stored = resumed ? await this.#storedSoon() : new Map<number, Offsets>();
    const pumps = assignment.ranks.flatMap(({ rank }) =>
      this.#pumpsOf(rank, stored.get(rank) ?? nothing, secrets),
    );
    const over = new AbortController();
    const whileRunning = AbortSignal.any([source.signal, over.signal]);
    void this.#follow.listen(whileRunning);
    const trimmed = trimOutputs({
      pumps: pumps.filter((pump) => pump instanceof LogPump),
      stored: async ({ rank, stream }) => (await this.#stored()).get(rank)?.[stream] ?? 0,
      signal: whileRunning,
      logger: this.#options.logger,
    });
    try {
      const actors = assignment.ranks.map(({ rank }) => this.#actorOf(rank));
      await Promise.all([
        ...pumps.map((pump) => this.#untilDone(() => pump.run())),
        ...actors.map((actor) => this.#untilDone(() => actor.run())),
      ]);
      onPublished();
      await this.#confirm(pumps);
    } finally {
      over.abort();
      await trimmed;
      await Promise.all(pumps.map((pump) => pump.close()));
    }
    source.signal.throwIfAborted();
  }

  /** The file system may fail for a while; what is in the files is still to be shipped. */
  async #untilDone(work: () => Promise<void>): Promise<void> {
    const { source, logger } = this.#options;
    for (let failures = 0; ; ) {
      try {
        return await work();
      } catch (error) {
        source.signal.throwIfAborted();
        failures += 1;
        logger.error({ err: error }, "reading what a rank recorded failed; trying on");
        await delay(backoffMs(RETRY, failures, Math.random()), undefined, { signal: source.signal });
      }
    }
  }

  async #confirm(pumps: readonly Pump[]): Promise<void> {
    const { source, logger, assignment } = this.#options;
    if (pumps.every((pump) => pump.position === 0)) return;
    let best = "";
    let since = performance.now();
    for (let failures = 0; ; ) {
      source.signal.throwIfAborted();
      const stored = await this.#stored().catch((error: unknown) => {
        failures += 1;
        if (failures === 1)
          logger.warn({ err: error, runId: assignment.runId }, "tracking does not answer; waiting");
        return undefined;
      });
      if (stored === undefined) {
        await delay(backoffMs(RETRY, failures, Math.random()), undefined, { signal: source.signal });
        continue;
      }
      failures = 0;
      const open = pumps.filter((pump) => (stored.get(pump.rank) ?? nothing)[pump.stream] < pump.position);
      if (open.length === 0) return;
      const now = JSON.stringify([...stored]);
      if (now !== best) [best, since] = [now, performance.now()];
      else if (performance.now() - since > RESEND_AFTER_MS) {
        logger.warn(
          { runId: assignment.runId, streams: open.length },
          "published telemetry has not arrived; sending it again",
        );
        for (const pump of open) await pump.runAgainFrom((stored.get(pump.rank) ?? nothing)[pump.stream]);
        since = performance.now();
      }
      await delay(CONFIRM_INTERVAL_MS, undefined, { signal: source.signal });
    }
  }

  async #stored(): Promise<Map<number, Offsets>> {
    const { assignment, tracking, source } = this.#options;
    const { runId, attempt } = assignment;
    const { ranks } = await tracking.getTelemetryOffsets({ runId, attempt }, { signal: source.signal });
    return new Map(
      ranks.map(({ rank, records, stdout, stderr }) => [
        rank,
        { records: Number(records), stdout: Number(stdout), stderr: Number(stderr) },
      ]),
    );
  }

  /** What is stored, if tracking says so soon. Sending everything again is only more work: it trims what it has. */
  async #storedSoon(): Promise<Map<number, Offsets>> {
    const deadline = performance.now() + ASK_OFFSETS_MS;
    while (performance.now() < deadline) {
      try {
        return await this.#stored();
      } catch (error) {
        this.#options.source.signal.throwIfAborted();
        this.#options.logger.debug({ err: fromConnectError(error) }, "tracking does not tell what it has");
        await delay(CONFIRM_INTERVAL_MS, undefined, { signal: this.#options.source.signal });
      }
    }
    return new Map();
  }

  #pumpsOf(rank: number, stored: Offsets, secrets: readonly Uint8Array[]): Pump[] {
    const { assignment, spool, logger } = this.#options;
    const source = { ...this.#options.source, isFollowed: () => this.#follow.isFollowed };
    const of = rankIdentity(assignment, rank);
    const common = { of, bundler: this.#bundler, source };
    const progress = this.#progress.get(rank);
    return [
      new MetricPump({
        ...common,
        path: spool.rankPath(rank, "records.bin"),
        from: stored.records,
        observe: (frame) => {
          progress?.see(frame);
          this.#halt.see(rank, frame);
        },
        logger,
      }),
      ...(["stdout", "stderr"] as const).map(
        (stream) =>
          new LogPump({
            ...common,
            stream,
            path: spool.rankPath(rank, `${stream}.log`),
            from: stored[stream],
            secrets,
          }),
      ),
    ];
  }

  #actorOf(rank: number): RecordActor {
    const { assignment, spool, blobs, tracking, source, onFenced, onChange, logger } = this.#options;
    return new RecordActor({
      deps: { blobs, tracking, attemptDir: spool.dir, signal: source.signal, ended: source.ended },
      of: rankIdentity(assignment, rank),
      spool,
      traceparent: assignment.traceparent,
      source,
      onFenced,
      halt: this.#halt,
      onCheckpoint: (step) => {
        this.#progress.get(rank)?.checkpointed(step);
        onChange();
      },
      logger,
    });
  }
}
