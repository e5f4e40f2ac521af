import type { Frame } from "@trainyard/rank-file";
import { earlier, isSpoilt, type NonFinite, nonFiniteIn } from "../domain/non-finite.ts";
import type { RankRecord } from "../domain/rank-record.ts";

/**
 * Looks for the first NaN or infinity in the metrics that a job watches. It is fed by whoever reads a rank's records: the
 * metrics' reader, so that no upload delays it, and the one that acts on checkpoints, which so knows of every point that was
 * logged before a checkpoint. Nothing is kept: a restarted agent reads the records from their beginning.
 */
export class HaltWatch {
  readonly #watched: ReadonlySet<string>;
  readonly #onHalt: () => void;
  #halted: NonFinite | undefined;

  constructor(keys: readonly string[], onHalt: () => void) {
    this.#watched = new Set(keys);
    this.#onHalt = onHalt;
  }

  get halted(): NonFinite | undefined {
    return this.#halted;
  }

  see(rank: number, { content }: Frame): void {
    if (content.kind !== "metrics") return;
    const found = nonFiniteIn(this.#watched, rank, content.step, content.points);
    if (found === undefined) return;
    const isFirst = this.#halted === undefined;
    this.#halted = earlier(this.#halted, found);
    if (isFirst) this.#onHalt();
  }

  /** Whether the record must not be kept. */
  refuses(record: RankRecord): boolean {
    return isSpoilt(record, this.#halted);
  }
}
