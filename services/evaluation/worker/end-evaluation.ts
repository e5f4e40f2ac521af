import { crashPoint } from "@trainyard/failpoint";
import type { Evaluation } from "../domain/evaluation.ts";
import { emitEnded } from "../events.ts";
import { traceEvaluation } from "../trace.ts";
import type { WorkerDeps } from "./deps.ts";

/** Writes the final state with its event; whoever comes second writes nothing, so the event is sent exactly once. */
export async function endEvaluation(
  { store, evaluations, logger }: WorkerDeps,
  ended: Evaluation,
): Promise<void> {
  const written = await store.transaction("evaluation ended", async (tx) => {
    const saved = await evaluations.save(ended, tx);
    if (saved) await emitEnded(tx, ended);
    return saved;
  });
  if (!written) return;
  crashPoint("evaluation.end.committed");
  traceEvaluation(ended);
  const { id, state, model, modelVersion, message } = ended;
  logger.info({ evaluation: id, state, model, version: modelVersion, message }, "evaluation ended");
}
