import type { Frame } from "@trainyard/rank-file";
import { parseRankRecord } from "../domain/rank-record.ts";
import { freshForMs, isSystemOnly, type StepTiming, timingIn } from "../domain/step-timing.ts";

/** Characters kept of a phase's name: it is part of each heartbeat. */
const MAX_PHASE_LENGTH = 64;

/** What a rank's records tell of how far it has come, for the heartbeat. */
export class RankProgress {
  #lastStep = -1;
  #firstStepAtMs: number | undefined;
  #phase = "";
  #checkpointStep: number | undefined;
  #timing: { readonly timing: StepTiming; readonly seenAtMs: number } | undefined;

  /** Last step it has reported; -1 when none. */
  get lastStep(): number {
    return this.#lastStep;
  }

  /** When it reported its first step, by its own clock. */
  get firstStepAtMs(): number | undefined {
    return this.#firstStepAtMs;
  }

  /** What it says it does besides training steps; empty while it trains. */
  get phase(): string {
    return this.#phase;
  }

  /** Step of its newest checkpoint part that tracking has taken. */
  get checkpointStep(): number | undefined {
    return this.#checkpointStep;
  }

  /** Where its steps spend their time, as long as that was told lately. */
  timing(nowMs: number): StepTiming | undefined {
    const known = this.#timing;
    return known !== undefined && nowMs - known.seenAtMs < freshForMs(known.timing)
      ? known.timing
      : undefined;
  }

  /** Tracking has taken its part of the checkpoint at this step. */
  checkpointed(step: number): void {
    this.#checkpointStep = Math.max(step, this.#checkpointStep ?? step);
  }

  see({ content }: Frame): void {
    if (content.kind === "metrics") {
      const timing = timingIn(content.points);
      if (timing !== undefined) this.#timing = { timing, seenAtMs: performance.now() };
      const step = isSystemOnly(content.points) ? -1 : Number(content.step);
      if (Number.isSafeInteger(step) && step > this.#lastStep) this.#lastStep = step;
    }
    if (content.kind === "object") this.#seeObject(content.json);
  }

  #seeObject(json: string): void {
    try {
      const record = parseRankRecord(json);
      if (record.kind === "first_step") this.#firstStepAtMs ??= record.atMs;
      if (record.kind === "phase") this.#phase = record.name.slice(0, MAX_PHASE_LENGTH);
    } catch {
      // Told to the log by whoever acts on the records.
    }
  }
}
