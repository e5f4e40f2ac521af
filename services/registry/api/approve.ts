import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { registry, stageWord } from "@trainyard/contracts";
import { DomainError } from "@trainyard/domain";
import { actorOf, mutate, projectOf } from "@trainyard/service";
import type { Tx } from "@trainyard/store";
import { moveVersion } from "../domain/champion.ts";
import type { Approval, Model, ModelVersion } from "../domain/model-version.ts";
import { assertMayApprove, obstacles } from "../domain/promotion.ts";
import { needsApproval } from "../domain/stage.ts";
import { emitApproved } from "../events.ts";
import { saveStageMove } from "../store/stage-move.ts";
import { tracePromotion } from "../trace.ts";
import type { RegistryParts } from "./deps.ts";
import { versionToProto } from "./to-proto.ts";

/** Longest comment of an approval, in characters. */
const maxCommentLength = 2_000;

/** Records an approval, and moves the version when nothing else is missing: approving and promoting are one act for most. */
export async function approve(
  { store, repository }: RegistryParts,
  request: registry.ApproveModelVersionRequest,
  context: HandlerContext,
): Promise<registry.ApproveModelVersionResponse> {
  const stage = stageWord(request.stage) ?? "champion";
  if (!needsApproval(stage)) throw noApprovalNeeded(stage);
  if (request.comment.length > maxCommentLength) throw commentTooLong(request.comment.length);
  const project = projectOf(context);

  const answer = await mutate(
    store,
    request,
    context,
    registry.ApproveModelVersionResponseSchema,
    async (tx, principal) => {
      const by = actorOf(principal);
      const at = new Date();
      const version = await repository.getVersion(project, request.model, request.version, tx);
      const model = await repository.getModel(project, version.model, tx);
      assertMayApprove(version, stage, by);
      const approval: Approval = { by, stage, at, comment: request.comment };
      const approved = await saveApproval(tx, model, version, approval, by);
      const transitioned = obstacles(approved.version, stage).length === 0;
      if (!transitioned) {
        return create(registry.ApproveModelVersionResponseSchema, {
          modelVersion: versionToProto(approved.version),
        });
      }
      const champion = await repository.findVersionById(approved.model.championId, tx);
      const move = moveVersion(approved.model, approved.version, stage, champion, {
        by,
        at,
        reason: request.comment || "promoted",
      });
      await saveStageMove(repository, move, by, tx);
      const moved = move.versions.find(({ id }) => id === version.id) ?? approved.version;
      return create(registry.ApproveModelVersionResponseSchema, {
        modelVersion: versionToProto(moved),
        transitioned,
      });
    },
  );
  if (answer.transitioned) tracePromotion(answer.modelVersion);
  return answer;

  async function saveApproval(tx: Tx, model: Model, version: ModelVersion, approval: Approval, by: string) {
    const raised = { ...model, version: model.version + 1 };
    const next = {
      ...version,
      approvals: [...version.approvals, approval],
      aggregateVersion: raised.version,
    };
    await repository.saveModel(raised, tx);
    await repository.saveVersion(next, tx);
    await emitApproved(tx, raised, next, approval, by);
    return { model: raised, version: next };
  }
}

function noApprovalNeeded(stage: string): DomainError {
  return new DomainError(
    "invalid_argument",
    "APPROVAL_NOT_NEEDED",
    `stage: ${stage} needs no approval; use TransitionModelVersion (trainyard promote --stage ${stage}).`,
    { violations: [{ field: "stage", description: "expected champion" }] },
  );
}

function commentTooLong(length: number): DomainError {
  const description = `has ${length} characters; at most ${maxCommentLength} are kept`;
  return new DomainError("invalid_argument", "COMMENT_TOO_LONG", `comment: ${description}.`, {
    violations: [{ field: "comment", description }],
  });
}
