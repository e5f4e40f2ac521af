import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { registry } from "@trainyard/contracts";
import { actorOf, mutate, projectOf } from "@trainyard/service";
import { rollback, rollbackTarget } from "../domain/champion.ts";
import { saveStageMove } from "../store/stage-move.ts";
import type { RegistryParts } from "./deps.ts";
import { versionToProto } from "./to-proto.ts";

/** Goes back to the previous champion in one call. */
export async function rollbackModel(
  { store, repository }: RegistryParts,
  request: registry.RollbackModelRequest,
  context: HandlerContext,
): Promise<registry.RollbackModelResponse> {
  const project = projectOf(context);
  return mutate(store, request, context, registry.RollbackModelResponseSchema, async (tx, principal) => {
    const by = actorOf(principal);
    const model = await repository.getModel(project, request.model, tx);
    const previous = await repository.getVersion(project, model.name, rollbackTarget(model), tx);
    const champion = await repository.findVersionById(model.championId, tx);
    const cause = { by, at: new Date(), reason: request.reason || "rollback" };
    const move = rollback(model, previous, champion, cause);
    await saveStageMove(repository, move, by, tx);
    const restored = await repository.getVersion(project, model.name, previous.id, tx);
    return create(registry.RollbackModelResponseSchema, { champion: versionToProto(restored) });
  });
}
