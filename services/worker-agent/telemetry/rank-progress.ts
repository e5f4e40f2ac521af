import type { Frame } from "@trainyard/rank-file";
import { parseRankRecord } from "../domain/rank-record.ts";

/** What a rank's records tell of how far it has come, for the heartbeat. */
export class RankProgress {
  #lastStep = -1;
  #firstStepAtMs: number | undefined;

  /** Last step it has reported; -1 when none. */
  get lastStep(): number {
    return this.#lastStep;
  }

  /** When it reported its first step, by its own clock. */
  get firstStepAtMs(): number | undefined {
    return this.#firstStepAtMs;
  }

  see({ content }: Frame): void {
    if (content.kind === "metrics") {
      const step = Number(content.step);
      if (Number.isSafeInteger(step) && step > this.#lastStep) this.#lastStep = step;
    }
    if (content.kind === "object" && this.#firstStepAtMs === undefined) this.#seeObject(content.json);
  }

  #seeObject(json: string): void {
    try {
      const record = parseRankRecord(json);
      if (record.kind === "first_step") this.#firstStepAtMs = record.atMs;
    } catch {
      // Told to the log by whoever acts on the records.
    }
  }
}
