import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { registry, stageWord } from "@trainyard/contracts";
import { pageQuery, projectOf } from "@trainyard/service";
import { approve } from "./approve.ts";
import type { RegistryParts } from "./deps.ts";
import { register } from "./register.ts";
import { rollbackModel } from "./rollback-model.ts";
import { modelToProto, stageChangeToProto, versionToProto } from "./to-proto.ts";
import { transition } from "./transition.ts";
import { waive } from "./waive.ts";

const nextPage = (nextPageToken: string) => ({ page: { nextPageToken } });

/** RegistryService: the reads stand here, each change in a file of its own. */
export function registryService(parts: RegistryParts): ServiceImpl<typeof registry.RegistryService> {
  const { repository } = parts;
  return {
    registerModelVersion: (request, context) => register(parts, request, context),
    approveModelVersion: (request, context) => approve(parts, request, context),
    waiveUntrackedData: (request, context) => waive(parts, request, context),
    transitionModelVersion: (request, context) => transition(parts, request, context),
    rollbackModel: (request, context) => rollbackModel(parts, request, context),

    async getModel({ name }, context) {
      const model = await repository.getModel(projectOf(context), name);
      const champion = await repository.findVersionById(model.championId);
      return create(registry.GetModelResponseSchema, { model: modelToProto(model, champion) });
    },

    async listModels({ page }, context) {
      const { items, nextPageToken } = await repository.listModels(projectOf(context), pageQuery(page));
      const champions = await Promise.all(
        items.map(({ championId }) => repository.findVersionById(championId)),
      );
      const models = items.map((model, index) => modelToProto(model, champions[index]));
      return create(registry.ListModelsResponseSchema, { models, ...nextPage(nextPageToken) });
    },

    async getModelVersion({ model, version }, context) {
      const found = await repository.getVersion(projectOf(context), model, version);
      return create(registry.GetModelVersionResponseSchema, { modelVersion: versionToProto(found) });
    },

    async listModelVersions({ model, stage, runId, page }, context) {
      const wanted = stageWord(stage);
      const query = {
        project: projectOf(context),
        ...(model === "" ? {} : { model }),
        ...(wanted === undefined ? {} : { stage: wanted }),
        ...(runId === "" ? {} : { runId }),
      };
      const { items, nextPageToken } = await repository.listVersions(query, pageQuery(page));
      const modelVersions = items.map(versionToProto);
      return create(registry.ListModelVersionsResponseSchema, { modelVersions, ...nextPage(nextPageToken) });
    },

    async listStageChanges({ model, page }, context) {
      const project = projectOf(context);
      await repository.getModel(project, model);
      const { items, nextPageToken } = await repository.listChanges(project, model, pageQuery(page));
      const changes = items.map(stageChangeToProto);
      return create(registry.ListStageChangesResponseSchema, { changes, ...nextPage(nextPageToken) });
    },

    async *exportModelVersions() {
      for await (const version of repository.exportVersions()) {
        yield create(registry.ExportModelVersionsResponseSchema, { modelVersion: versionToProto(version) });
      }
    },
  };
}
