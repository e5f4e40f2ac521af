import type { Logger } from "@trainyard/telemetry";
import type { Spool } from "./spool.ts";

/** Asks an attempt's ranks for a checkpoint at a step, once for each step; what could not be asked may be asked again. */
export class CheckpointRequest {
  readonly #spool: Spool;
  readonly #logger: Logger;
  #askedStep: number | undefined;

  constructor(spool: Spool, logger: Logger) {
    this.#spool = spool;
    this.#logger = logger;
  }

  ask(step: number): void {
    if (step <= 0 || step === this.#askedStep || !this.#spool.exists) return;
    this.#askedStep = step;
    this.#spool.askCheckpoint(step).then(
      () => this.#logger.info({ step }, "the ranks are asked for a checkpoint"),
      (error: unknown) => {
        this.#askedStep = undefined;
        this.#logger.warn({ err: error }, "the ranks could not be asked for a checkpoint yet");
      },
    );
  }
}
