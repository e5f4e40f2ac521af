import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { registry } from "@trainyard/contracts";
import { actorOf, mutate, projectOf } from "@trainyard/service";
import { waived } from "../domain/waiver.ts";
import { emitWaived } from "../events.ts";
import type { RegistryParts } from "./deps.ts";
import { versionToProto } from "./to-proto.ts";

/** Records a person's word for a version whose training data nothing has recorded. */
export async function waive(
  { store, repository }: RegistryParts,
  request: registry.WaiveUntrackedDataRequest,
  context: HandlerContext,
): Promise<registry.WaiveUntrackedDataResponse> {
  const project = projectOf(context);
  return mutate(store, request, context, registry.WaiveUntrackedDataResponseSchema, async (tx, principal) => {
    const by = actorOf(principal);
    const version = await repository.getVersion(project, request.model, request.version, tx);
    const model = await repository.getModel(project, version.model, tx);
    const waiver = { by, reason: request.reason.trim(), at: new Date() };
    const raised = { ...model, version: model.version + 1 };
    const next = { ...waived(version, waiver), aggregateVersion: raised.version };
    await repository.saveModel(raised, tx);
    await repository.saveVersion(next, tx);
    await emitWaived(tx, raised, next, waiver, by);
    return create(registry.WaiveUntrackedDataResponseSchema, { modelVersion: versionToProto(next) });
  });
}
