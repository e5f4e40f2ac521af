import { create, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import type { HandlerContext } from "@connectrpc/connect";
import { registry } from "@trainyard/contracts";
import { DomainError, newId } from "@trainyard/domain";
import { actorOf, mutate, principalOf, projectOf } from "@trainyard/service";
import type { Tx } from "@trainyard/store";
import {
  assertAtMost,
  assertModelName,
  assertRemovable,
  assertRenamable,
  withTexts,
} from "../domain/catalog.ts";
import type { Model, ModelVersion } from "../domain/model-version.ts";
import { emitDeleted } from "../events.ts";
import type { RegistryParts } from "./deps.ts";
import { modelToProto, versionToProto } from "./to-proto.ts";

interface NamesModel extends Message {
  readonly requestId: string;
  readonly model: string;
}

interface NamesVersion extends NamesModel {
  readonly version: string;
}

export async function createModel(
  { store, repository }: RegistryParts,
  request: registry.CreateModelRequest,
  context: HandlerContext,
): Promise<registry.CreateModelResponse> {
  assertModelName(request.name);
  assertAtMost("MODEL_TEXT_LENGTH", request.description.length);
  const project = projectOf(context);
  const now = new Date();
  const model: Model = {
    id: newId("model"),
    project,
    name: request.name,
    description: request.description,
    versionCount: 0,
    championId: "",
    formerChampionIds: [],
    version: 1,
    createdBy: actorOf(principalOf(context)),
    createdAt: now,
    tags: withTexts([], request.tags),
    updatedAt: now,
  };
  return mutate(store, request, context, registry.CreateModelResponseSchema, async (tx) => {
    await assertNameFree(repository, project, model.name, tx);
    await repository.insertModel(model, tx);
    return create(registry.CreateModelResponseSchema, { model: modelToProto(model, undefined) });
  });
}

/** Changes a model in one transaction, by compare-and-set on its version. */
export async function changeModel<Request extends NamesModel, Answer extends Message>(
  { store, repository }: RegistryParts,
  request: Request,
  context: HandlerContext,
  answer: GenMessage<Answer>,
  change: (model: Model, tx: Tx) => Promise<Model>,
): Promise<Answer> {
  const project = projectOf(context);
  return mutate(store, request, context, answer, async (tx) => {
    const before = await repository.getModel(project, request.model, tx);
    const after = { ...(await change(before, tx)), version: before.version + 1 };
    await repository.saveModel(after, tx);
    const champion = await repository.findVersionById(after.championId, tx);
    // Every answer here has the one field model.
    return create(answer, { model: modelToProto(after, champion) } as unknown as MessageInitShape<
      GenMessage<Answer>
    >);
  });
}

/** Gives a model another name, and its versions with it. */
export async function renameModel(
  { repository }: RegistryParts,
  model: Model,
  name: string,
  tx: Tx,
): Promise<Model> {
  assertModelName(name);
  assertRenamable(model);
  await assertNameFree(repository, model.project, name, tx);
  await repository.renameVersions(model.project, model.name, name, tx);
  return { ...model, name };
}

export async function deleteModel(
  { store, repository }: RegistryParts,
  request: registry.DeleteModelRequest,
  context: HandlerContext,
): Promise<registry.DeleteModelResponse> {
  const project = projectOf(context);
  return mutate(store, request, context, registry.DeleteModelResponseSchema, async (tx) => {
    const model = await repository.getModel(project, request.model, tx);
    const versions = await repository.versionsOf(project, model.name, tx);
    for (const version of versions) assertRemovable(model, version);
    const after = { ...model, version: model.version + 1 };
    await repository.saveModel(after, tx);
    await repository.deleteModel(model, tx);
    for (const version of versions) await emitDeleted(tx, after, version, actorOf(principalOf(context)));
    return create(registry.DeleteModelResponseSchema);
  });
}

/** Changes what is written about a version; its model's version rises with it, as with every change. */
export async function changeVersion<Request extends NamesVersion, Answer extends Message>(
  { store, repository }: RegistryParts,
  request: Request,
  context: HandlerContext,
  answer: GenMessage<Answer>,
  change: (version: ModelVersion) => ModelVersion,
): Promise<Answer> {
  const project = projectOf(context);
  return mutate(store, request, context, answer, async (tx) => {
    const before = await repository.getVersion(project, request.model, request.version, tx);
    const model = await repository.getModel(project, before.model, tx);
    await repository.saveModel({ ...model, version: model.version + 1 }, tx);
    const after = { ...change(before), aggregateVersion: model.version + 1 };
    await repository.saveVersion(after, tx);
    // Every answer here has the one field model_version.
    return create(answer, { modelVersion: versionToProto(after) } as unknown as MessageInitShape<
      GenMessage<Answer>
    >);
  });
}

export async function deleteVersion(
  { store, repository }: RegistryParts,
  request: registry.DeleteModelVersionRequest,
  context: HandlerContext,
): Promise<registry.DeleteModelVersionResponse> {
  const project = projectOf(context);
  return mutate(store, request, context, registry.DeleteModelVersionResponseSchema, async (tx) => {
    const version = await repository.getVersion(project, request.model, request.version, tx);
    const model = await repository.getModel(project, version.model, tx);
    assertRemovable(model, version);
    const after: Model = {
      ...model,
      version: model.version + 1,
      versionCount: model.versionCount - 1,
      lastNumber: model.lastNumber ?? model.versionCount,
      aliases: (model.aliases ?? []).filter(({ number }) => number !== version.number),
    };
    await repository.saveModel(after, tx);
    await repository.deleteVersion(version, tx);
    await emitDeleted(tx, after, version, actorOf(principalOf(context)));
    return create(registry.DeleteModelVersionResponseSchema);
  });
}

async function assertNameFree(
  repository: RegistryParts["repository"],
  project: string,
  name: string,
  tx: Tx,
): Promise<void> {
  if ((await repository.findModel(project, name, tx)) === undefined) return;
  throw new DomainError(
    "already_exists",
    "MODEL_EXISTS",
    `There is a model ${name} in project ${project} already.`,
    {
      metadata: { model: name },
    },
  );
}
