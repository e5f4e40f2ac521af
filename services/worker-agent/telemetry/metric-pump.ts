import type { Frame } from "@trainyard/rank-file";
import { RecordReader } from "@trainyard/rank-file";
import type { Logger } from "@trainyard/telemetry";
import type { TelemetryBundler } from "./bundler.ts";
import { MetricBatchBuilder } from "./metric-batch.ts";
import { type Pump, type PumpSource, untilShipping } from "./pump.ts";
import { type RankIdentity, telemetryMsgId } from "./rank-stream.ts";

export interface MetricPumpOptions {
  readonly of: RankIdentity;
  readonly path: string;
  /** Up to where it is stored already; nothing before it is published. */
  readonly from: number;
  readonly bundler: TelemetryBundler;
  readonly source: PumpSource;
  /** Sees every frame once, also those that are stored already. */
  readonly observe: (frame: Frame) => void;
  readonly logger: Logger;
}

/**
 * Ships the points of a rank. It reads the file from its beginning even when the first part is stored: frames can only be
 * found one after the other, and what the heartbeat tells (last step) follows from all of them.
 */
export class MetricPump implements Pump {
  readonly stream = "records";
  readonly rank: number;
  readonly #options: MetricPumpOptions;
  #reader: RecordReader;
  #from: number;
  #resends = 0;

  constructor(options: MetricPumpOptions) {
    this.#options = options;
    this.rank = options.of.rank;
    this.#reader = new RecordReader(options.path);
    this.#from = options.from;
  }

  get position(): number {
    return this.#reader.position;
  }

  async run(): Promise<void> {
    const { source } = this.#options;
    for (;;) {
      // Asked before reading, so that what was written last is seen.
      const last = source.ended();
      source.signal.throwIfAborted();
      const batch = await this.#collect();
      if (batch.isEmpty && last) return;
      if (!batch.isEmpty) await this.#ship(batch);
      if (last || batch.isFull) continue;
      await untilShipping(source);
    }
  }

  async runAgainFrom(offset: number): Promise<void> {
    await this.#reader.close();
    this.#reader = new RecordReader(this.#options.path);
    this.#from = offset;
    this.#resends += 1;
    await this.run();
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  async #collect(): Promise<MetricBatchBuilder> {
    let batch = new MetricBatchBuilder(this.#options.of, this.#reader.position);
    while (!batch.isFull) {
      const frame = await this.#reader.next();
      if (frame === undefined) break;
      if (this.#resends === 0) this.#see(frame);
      if (frame.end <= this.#from) batch = new MetricBatchBuilder(this.#options.of, frame.end);
      else batch.add(frame);
    }
    return batch;
  }

  #see(frame: Frame): void {
    this.#options.observe(frame);
    if (frame.content.kind !== "skipped") return;
    const { of, logger } = this.#options;
    logger.warn({ ...of, offset: frame.offset, why: frame.content.why }, "a record is skipped");
  }

  async #ship(batch: MetricBatchBuilder): Promise<void> {
    const { of, bundler } = this.#options;
    await bundler.publish({
      batch: { case: "metrics", value: batch.build() },
      id: telemetryMsgId(of, this.stream, batch, this.#resends),
      bytes: batch.bytes,
    });
  }
}
