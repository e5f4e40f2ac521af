import { create, toBinary } from "@bufbuild/protobuf";
import { workeragent } from "@trainyard/contracts";
import type { Part } from "@trainyard/service";
import type { Logger } from "@trainyard/telemetry";
import { type RankSample, SEND_AT, sampleBatch, withSample } from "../domain/rank-samples.ts";
import type { AttemptStatus, RankStatus } from "../ranks/attempt-status.ts";
import type { TelemetryPublisher } from "./publisher.ts";
import { type RankIdentity, samplesSubject } from "./rank-stream.ts";

const INTERVAL_MS = 1_000;
/** How long an agent that stops tries to send what it still has. */
const LAST_SEND_MS = 1_000;

interface Sampled {
  readonly of: RankIdentity;
  kept: readonly RankSample[];
  sending: Promise<void> | undefined;
}

/**
 * Records what each rank uses, a point a second, as metrics of its run. Unlike what a rank records itself this is worth a
 * try and no more: what cannot be sent for ten minutes is dropped, and nothing waits for it.
 */
export class RankSampler implements Part {
  readonly name = "rank-samples";
  readonly #statuses: () => readonly AttemptStatus[];
  readonly #publisher: TelemetryPublisher;
  readonly #logger: Logger;
  readonly #sampled = new Map<string, Sampled>();
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: {
    readonly statuses: () => readonly AttemptStatus[];
    readonly publisher: TelemetryPublisher;
    readonly logger: Logger;
  }) {
    this.#statuses = options.statuses;
    this.#publisher = options.publisher;
    this.#logger = options.logger;
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => this.#look(Date.now()), INTERVAL_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    const last = setTimeout(() => this.#stopping.abort(new Error("the agent is stopping")), LAST_SEND_MS);
    for (const sampled of this.#sampled.values()) this.#send(sampled);
    await Promise.all([...this.#sampled.values()].map(({ sending }) => sending));
    clearTimeout(last);
  }

  #look(nowMs: number): void {
    const live = new Set<string>();
    for (const { project, runId, attempt, ranks } of this.#statuses()) {
      for (const status of ranks) {
        const key = `${runId}.${attempt}.${status.rank}`;
        const sample = sampleOf(status, nowMs);
        if (sample === undefined) continue;
        live.add(key);
        const of = { project, runId, attempt, rank: status.rank };
        const sampled = this.#sampled.get(key) ?? { of, kept: [], sending: undefined };
        this.#sampled.set(key, sampled);
        sampled.kept = withSample(sampled.kept, sample);
      }
    }
    for (const [key, sampled] of this.#sampled) {
      const over = !live.has(key);
      if (over || sampled.kept.length >= SEND_AT) this.#send(sampled);
      if (over && sampled.kept.length === 0 && sampled.sending === undefined) this.#sampled.delete(key);
    }
  }

  /** Sends what is kept, one batch at a time; what comes meanwhile waits for the next. */
  #send(sampled: Sampled): void {
    if (sampled.sending !== undefined || sampled.kept.length === 0) return;
    const { of, kept } = sampled;
    const { begin, end, steps, offsets, ...columns } = sampleBatch(kept);
    const message = create(workeragent.MetricBatchSchema, {
      runId: of.runId,
      attempt: of.attempt,
      rank: of.rank,
      beginOffset: BigInt(begin),
      endOffset: BigInt(end),
      keys: [...columns.keys],
      keyIndex: [...columns.keyIndex],
      timesMs: [...columns.timesMs],
      values: [...columns.values],
      steps: steps.map(BigInt),
      offsets: offsets.map(BigInt),
    });
    const msgId = `${of.runId}.${of.attempt}.${of.rank}.samples.${begin}-${end}`;
    const data = toBinary(workeragent.MetricBatchSchema, message);
    const sent = kept.at(-1)?.second ?? 0;
    sampled.sending = this.#publisher
      .publish(samplesSubject(of), data, msgId, this.#stopping.signal)
      .then(
        () => {
          sampled.kept = sampled.kept.filter(({ second }) => second > sent);
        },
        () => this.#logger.debug({ ...of, samples: kept.length }, "the last samples were not sent"),
      )
      .finally(() => {
        sampled.sending = undefined;
      });
  }
}

function sampleOf({ startedAtMs, usage, lastStep }: RankStatus, nowMs: number): RankSample | undefined {
  if (startedAtMs === undefined || usage === undefined) return undefined;
  const second = Math.floor((nowMs - startedAtMs) / 1000);
  return { second, timeMs: nowMs, step: Math.max(0, lastStep), usage };
}
