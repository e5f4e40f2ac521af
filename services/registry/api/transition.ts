import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { registry } from "@trainyard/contracts";
import { actorOf, assertAccess, methodPath, mutate, principalOf, projectOf } from "@trainyard/service";
import { moveVersion } from "../domain/champion.ts";
import { assertMayMove } from "../domain/promotion.ts";
import { saveStageMove } from "../store/stage-move.ts";
import { tracePromotion } from "../trace.ts";
import type { RegistryParts } from "./deps.ts";
import { requiredStage } from "./from-proto.ts";
import { versionToProto } from "./to-proto.ts";

/** Moves a version to another stage, or says what is missing. */
export async function transition(
  { store, repository }: RegistryParts,
  request: registry.TransitionModelVersionRequest,
  context: HandlerContext,
): Promise<registry.TransitionModelVersionResponse> {
  const to = requiredStage(request.stage);
  const project = projectOf(context);
  const before = await repository.getVersion(project, request.model, request.version);
  const touchesChampion = to === "champion" || before.stage === "champion";
  if (touchesChampion)
    assertAccess({ roles: ["approver"] }, methodPath(context.method), principalOf(context));

  const answer = await mutate(
    store,
    request,
    context,
    registry.TransitionModelVersionResponseSchema,
    async (tx, principal) => {
      const by = actorOf(principal);
      const version = await repository.getVersion(project, request.model, request.version, tx);
      const model = await repository.getModel(project, version.model, tx);
      if (version.stage !== to) {
        assertMayMove(version, to);
        const champion = await repository.findVersionById(model.championId, tx);
        const cause = { by, at: new Date(), reason: request.reason || "promoted" };
        const move = moveVersion(model, version, to, champion, cause);
        await saveStageMove(repository, move, by, tx);
      }
      const after = await repository.getVersion(project, version.model, version.id, tx);
      return create(registry.TransitionModelVersionResponseSchema, { modelVersion: versionToProto(after) });
    },
  );
  if (to === "champion" && before.stage !== "champion") tracePromotion(answer.modelVersion);
  return answer;
}
