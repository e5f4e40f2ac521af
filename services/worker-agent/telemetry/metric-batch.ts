import { create } from "@bufbuild/protobuf";
import { workeragent } from "@trainyard/contracts";
import type { Frame } from "@trainyard/rank-file";
import type { RankIdentity } from "./rank-stream.ts";

/** A batch is closed when it has reached so many bytes: small enough to be cheap to redo, large enough to be few. */
const TARGET_BYTES = 64 * 1024;
/** Step, time, value, offset and key index of one point as encoded, at most. */
const POINT_BYTES = 32;

/** Packs the frames of one rank into columns. A record is never split over two batches. */
export class MetricBatchBuilder {
  readonly #of: RankIdentity;
  readonly #begin: number;
  readonly #keys = new Map<string, number>();
  readonly #columns = {
    keyIndex: [] as number[],
    steps: [] as bigint[],
    timesMs: [] as number[],
    values: [] as number[],
    offsets: [] as bigint[],
  };
  #end: number;
  #bytes = 0;

  constructor(of: RankIdentity, begin: number) {
    this.#of = of;
    this.#begin = begin;
    this.#end = begin;
  }

  get begin(): number {
    return this.#begin;
  }

  get end(): number {
    return this.#end;
  }

  get isEmpty(): boolean {
    return this.#end === this.#begin;
  }

  /** About how many it has as encoded, and not fewer. */
  get bytes(): number {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.#bytes >= TARGET_BYTES;
  }

  /** Adds the next frame. One that holds no metrics only extends the range. */
  add({ offset, end, content }: Frame): void {
    this.#end = end;
    if (content.kind !== "metrics") return;
    for (const { key, value } of content.points) {
      this.#columns.keyIndex.push(this.#indexOf(key));
      this.#columns.steps.push(content.step);
      this.#columns.timesMs.push(content.timeMs);
      this.#columns.values.push(value);
      this.#columns.offsets.push(BigInt(offset));
      this.#bytes += POINT_BYTES;
    }
  }

  build(): workeragent.MetricBatch {
    return create(workeragent.MetricBatchSchema, {
      runId: this.#of.runId,
      attempt: this.#of.attempt,
      rank: this.#of.rank,
      beginOffset: BigInt(this.#begin),
      endOffset: BigInt(this.#end),
      keys: [...this.#keys.keys()],
      ...this.#columns,
    });
  }

  #indexOf(key: string): number {
    const known = this.#keys.get(key);
    if (known !== undefined) return known;
    this.#keys.set(key, this.#keys.size);
    this.#bytes += key.length + 4;
    return this.#keys.size - 1;
  }
}
