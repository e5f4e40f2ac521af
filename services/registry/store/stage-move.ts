import type { Tx } from "@trainyard/store";
import type { StageMove } from "../domain/champion.ts";
import { emitStageChange } from "../events.ts";
import type { ModelRepository } from "./model-repository.ts";

/** Writes a move with its history and events. Whoever leaves champion is written first, so the unique index holds throughout. */
export async function saveStageMove(
  repository: ModelRepository,
  move: StageMove,
  actor: string,
  tx: Tx,
): Promise<void> {
  await repository.saveModel(move.model, tx);
  for (const [index, version] of move.versions.entries()) {
    await repository.saveVersion(version, tx);
    const change = move.changes[index];
    if (change === undefined) continue;
    await repository.insertChange(change, version.project, tx);
    await emitStageChange(tx, move.model, version, change, actor);
  }
}
