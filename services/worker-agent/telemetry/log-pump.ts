import { create } from "@bufbuild/protobuf";
import { workeragent } from "@trainyard/contracts";
import { AppendFile } from "@trainyard/rank-file";
import { leftOut } from "../domain/log-limit.ts";
import { redact, safeLength } from "../domain/redact.ts";
import type { TelemetryBundler } from "./bundler.ts";
import { Pace } from "./pace.ts";
import { type Pump, type PumpSource, untilShipping } from "./pump.ts";
import { type RankIdentity, telemetryMsgId } from "./rank-stream.ts";

/** Most bytes of output in one message. */
const BATCH_BYTES = 64 * 1024;

/** How fast one output may be shipped: a rank that prints without end must not take the bus from the others. */
const PACE = { bytesPerSecond: 8 * 1024 * 1024, burstBytes: 16 * 1024 * 1024 };

export interface LogPumpOptions {
  readonly of: RankIdentity;
  readonly stream: "stdout" | "stderr";
  readonly path: string;
  /** Up to where it is stored already. */
  readonly from: number;
  /** What must not be read in it. */
  readonly secrets: readonly Uint8Array[];
  readonly bundler: TelemetryBundler;
  readonly source: PumpSource;
}

const streams = {
  stdout: workeragent.LogStream.STDOUT,
  stderr: workeragent.LogStream.STDERR,
} as const;

/** Ships one output of a rank, byte for byte, but for what a rank prints faster than that can be. */
export class LogPump implements Pump {
  readonly stream: "stdout" | "stderr";
  readonly rank: number;
  readonly #options: LogPumpOptions;
  readonly #file: AppendFile;
  readonly #pace = new Pace(PACE);
  #position: number;
  #resends = 0;

  constructor(options: LogPumpOptions) {
    this.#options = options;
    this.stream = options.stream;
    this.rank = options.of.rank;
    this.#file = new AppendFile(options.path);
    this.#position = options.from;
  }

  /** The output's file. */
  get path(): string {
    return this.#options.path;
  }

  get position(): number {
    return this.#position;
  }

  async run(): Promise<void> {
    const { source } = this.#options;
    for (;;) {
      // Asked before reading, so that what was written last is seen.
      const last = source.ended();
      source.signal.throwIfAborted();
      const size = await this.#file.size();
      const leftOutBytes = leftOut({ position: this.#position, size });
      const isThere = leftOutBytes === 0 && size > this.#position;
      const data = isThere ? await this.#read(last) : new Uint8Array();
      const isEmpty = data.length + leftOutBytes === 0;
      if (isEmpty && last) return;
      if (!isEmpty) {
        await this.#ship(data, leftOutBytes);
        await this.#pace.spend(data.length, source.signal);
      }
      if (last || (!isEmpty && this.#position < size)) continue;
      await untilShipping(source);
    }
  }

  async runAgainFrom(offset: number): Promise<void> {
    this.#position = offset;
    this.#resends += 1;
    await this.run();
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** The next bytes without what is secret; what may be the beginning of a secret waits for the bytes after it. */
  async #read(last: boolean): Promise<Uint8Array> {
    const { secrets } = this.#options;
    if (secrets.length === 0) return this.#file.read(this.#position, BATCH_BYTES);
    const data = await this.#file.read(this.#position, BATCH_BYTES + longest(secrets));
    const isEnd = last && data.length < BATCH_BYTES;
    return redact(isEnd ? data : data.subarray(0, safeLength(data, secrets)), secrets);
  }

  async #ship(data: Uint8Array, leftOutBytes: number): Promise<void> {
    const { of, bundler } = this.#options;
    const range = { begin: this.#position, end: this.#position + data.length + leftOutBytes };
    const value = create(workeragent.LogBatchSchema, {
      runId: of.runId,
      attempt: of.attempt,
      rank: of.rank,
      stream: streams[this.stream],
      beginOffset: BigInt(range.begin),
      data,
      observedMs: Date.now(),
      leftOutBytes: BigInt(leftOutBytes),
    });
    const id = telemetryMsgId(of, this.stream, range, this.#resends);
    await bundler.publish({ batch: { case: "logs", value }, id, bytes: data.length });
    this.#position = range.end;
  }
}

function longest(secrets: readonly Uint8Array[]): number {
  return secrets.reduce((most, { length }) => Math.max(most, length), 0);
}
