import { setTimeout as delay } from "node:timers/promises";
import type { Part } from "@trainyard/service";
import type { WorkerDeps } from "./deps.ts";
import { step } from "./step.ts";

/** How often the database is asked for what is due, while something is under way and otherwise; a wake asks at once. */
const pollEveryMs = 250;
const idlePollEveryMs = 1_000;
const pauseAfterErrorMs = 1_000;
/** Evaluations handled at once. */
const atOnce = 32;

/** The part that does what is due for evaluations. `wake` makes it look now. */
export interface EvaluationWorker extends Part {
  wake(): void;
}

/**
 * Several replicas may do the same step at once: each is idempotent up to its compare-and-set, so one of them counts and
 * nobody waits for a replica that has died.
 */
export function evaluationWorker(deps: WorkerDeps): EvaluationWorker {
  const stopping = new AbortController();
  const underWay = new Map<string, Promise<void>>();
  let look = new AbortController();
  let loop: Promise<void> | undefined;

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      look = new AbortController();
      const pauseMs = await takeDue().catch((error: unknown) => {
        deps.logger.warn({ err: error }, "what is due for evaluations could not be read");
        return pauseAfterErrorMs;
      });
      const signal = AbortSignal.any([look.signal, stopping.signal]);
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async function takeDue(): Promise<number> {
    const due = await deps.evaluations.due(new Date(), atOnce);
    for (const evaluation of due) {
      if (underWay.has(evaluation.id)) continue;
      const taken = step(deps, evaluation)
        .catch((error: unknown) =>
          deps.logger.warn({ err: error, evaluation: evaluation.id }, "evaluation's step failed"),
        )
        .finally(() => underWay.delete(evaluation.id));
      underWay.set(evaluation.id, taken);
    }
    return due.length + underWay.size === 0 ? idlePollEveryMs : pollEveryMs;
  }

  return {
    name: "evaluation worker",
    wake: () => look.abort(),
    async start() {
      loop = run();
    },
    async stop(signal) {
      stopping.abort();
      const aborted = new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      });
      await Promise.race([Promise.all([loop, ...underWay.values()]), aborted]);
    },
  };
}
