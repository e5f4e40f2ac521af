import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { registry } from "@trainyard/contracts";
import { pageQuery, projectOf } from "@trainyard/service";
import { assertAtMost, assertFreeAlias, withAlias, withoutTexts, withTexts } from "../domain/catalog.ts";
import { searchModels, searchVersions } from "../store/catalog-searches.ts";
import {
  changeModel,
  changeVersion,
  createModel,
  deleteModel,
  deleteVersion,
  renameModel,
} from "./change-catalog.ts";
import type { RegistryParts } from "./deps.ts";
import { clausesFromProto, ordersFromProto } from "./search-from-proto.ts";
import { modelToProto, versionToProto } from "./to-proto.ts";

const nextPage = (nextPageToken: string) => ({ page: { nextPageToken } });

/** CatalogService: what people write about models and versions. */
export function catalogService(parts: RegistryParts): ServiceImpl<typeof registry.CatalogService> {
  const { store, repository } = parts;
  return {
    createModel: (request, context) => createModel(parts, request, context),

    updateModel(request, context) {
      const { description, name } = request;
      if (description !== undefined) assertAtMost("MODEL_TEXT_LENGTH", description.length);
      return changeModel(parts, request, context, registry.UpdateModelResponseSchema, async (model, tx) => {
        const told = description === undefined ? model : { ...model, description };
        return name === undefined || name === model.name ? told : renameModel(parts, told, name, tx);
      });
    },

    deleteModel: (request, context) => deleteModel(parts, request, context),

    setModelTags: (request, context) =>
      changeModel(parts, request, context, registry.SetModelTagsResponseSchema, async (model) => ({
        ...model,
        tags: withTexts(model.tags ?? [], request.tags),
      })),

    deleteModelTags: (request, context) =>
      changeModel(parts, request, context, registry.DeleteModelTagsResponseSchema, async (model) => ({
        ...model,
        tags: withoutTexts(model.tags ?? [], request.keys),
      })),

    setModelAlias(request, context) {
      assertFreeAlias(request.alias);
      return changeModel(parts, request, context, registry.SetModelAliasResponseSchema, async (model, tx) => {
        const { number } = await repository.getVersion(model.project, model.name, request.version, tx);
        return { ...model, aliases: withAlias(model.aliases ?? [], request.alias, number) };
      });
    },

    deleteModelAlias(request, context) {
      assertFreeAlias(request.alias);
      return changeModel(parts, request, context, registry.DeleteModelAliasResponseSchema, async (model) => ({
        ...model,
        aliases: (model.aliases ?? []).filter(({ alias }) => alias !== request.alias),
      }));
    },

    async searchModels({ clauses, orderBy, page }, context) {
      const search = {
        project: projectOf(context),
        clauses: clausesFromProto(clauses),
        orders: ordersFromProto(orderBy),
      };
      const { items, nextPageToken } = await searchModels(store, search, pageQuery(page));
      const champions = await Promise.all(
        items.map(({ championId }) => repository.findVersionById(championId)),
      );
      const models = items.map((model, index) => modelToProto(model, champions[index]));
      return create(registry.SearchModelsResponseSchema, { models, ...nextPage(nextPageToken) });
    },

    updateModelVersion(request, context) {
      const { notes } = request;
      if (notes !== undefined) assertAtMost("MODEL_TEXT_LENGTH", notes.length);
      return changeVersion(parts, request, context, registry.UpdateModelVersionResponseSchema, (version) =>
        notes === undefined ? version : { ...version, notes },
      );
    },

    deleteModelVersion: (request, context) => deleteVersion(parts, request, context),

    setModelVersionTags: (request, context) =>
      changeVersion(parts, request, context, registry.SetModelVersionTagsResponseSchema, (version) => ({
        ...version,
        tags: withTexts(version.tags ?? [], request.tags),
      })),

    deleteModelVersionTags: (request, context) =>
      changeVersion(parts, request, context, registry.DeleteModelVersionTagsResponseSchema, (version) => ({
        ...version,
        tags: withoutTexts(version.tags ?? [], request.keys),
      })),

    async searchModelVersions({ clauses, orderBy, page }, context) {
      const search = {
        project: projectOf(context),
        clauses: clausesFromProto(clauses),
        orders: ordersFromProto(orderBy),
      };
      const { items, nextPageToken } = await searchVersions(store, search, pageQuery(page));
      const modelVersions = items.map(versionToProto);
      return create(registry.SearchModelVersionsResponseSchema, {
        modelVersions,
        ...nextPage(nextPageToken),
      });
    },
  };
}
