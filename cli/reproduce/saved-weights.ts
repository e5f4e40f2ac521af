import { tracking } from "@trainyard/contracts";
import type { Clients } from "../client/clients.ts";
import { retryUnavailable } from "../client/retry.ts";
import type { SavedWeights } from "./compare-weights.ts";

/** What a run saved. A checkpoint that survivors saved when a rank died has a step of its own making: it is left out. */
export async function savedWeights(clients: Clients, run: tracking.Run): Promise<SavedWeights> {
  const { checkpoints } = await retryUnavailable(() => clients.tracking.listCheckpoints({ runId: run.id }));
  return {
    checkpoints: checkpoints
      .filter(({ kind }) => kind !== tracking.CheckpointKind.JUST_IN_TIME)
      .map(({ step, parts }) => ({
        step: Number(step),
        files: parts.flatMap(({ rank, files }) => files.map(({ path, digest }) => ({ rank, path, digest }))),
      })),
    model: (run.model?.files ?? []).map(({ path, digest }) => ({ rank: 0, path, digest })),
  };
}
