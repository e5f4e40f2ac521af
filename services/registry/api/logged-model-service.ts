import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { registry } from "@trainyard/contracts";
import { actorOf, mutate, pageQuery, principalOf, projectOf } from "@trainyard/service";
import { withoutTexts, withTexts } from "../domain/catalog.ts";
import { assertLoggedModelName, type LoggedModel, withMetrics, withParams } from "../domain/logged-model.ts";
import type { RegistryParts } from "./deps.ts";
import { deleteFiles, listFiles, putFile } from "./logged-model-files.ts";
import {
  assertTagsThere,
  linksFromProto,
  loggedModelToProto,
  metricsFromProto,
  statusFromProto,
} from "./logged-model-proto.ts";
import { clausesFromProto, ordersFromProto } from "./search-from-proto.ts";

/** LoggedModelService: models as outside clients log them. */
export function loggedModelService(parts: RegistryParts): ServiceImpl<typeof registry.LoggedModelService> {
  const { store, loggedModels } = parts;
  return {
    async createLoggedModel(request, context) {
      assertLoggedModelName(request.name);
      const now = new Date();
      const model: LoggedModel = {
        id: `m-${randomUUID().replaceAll("-", "")}`,
        project: projectOf(context),
        experimentId: request.experimentId,
        name: request.name,
        modelType: request.modelType,
        status: "pending",
        sourceRunId: request.sourceRunId,
        params: withTexts([], request.params),
        tags: withTexts([], request.tags),
        metrics: [],
        createdBy: actorOf(principalOf(context)),
        createdAt: now,
        updatedAt: now,
        deleted: false,
      };
      return mutate(store, request, context, registry.CreateLoggedModelResponseSchema, async (tx) => {
        await loggedModels.insert(model, tx);
        return create(registry.CreateLoggedModelResponseSchema, { model: loggedModelToProto(model) });
      });
    },

    async getLoggedModel({ id, allowDeleted }, context) {
      const model = await loggedModels.get(projectOf(context), id, undefined, allowDeleted);
      return create(registry.GetLoggedModelResponseSchema, { model: loggedModelToProto(model) });
    },

    async updateLoggedModel(request, context) {
      const project = projectOf(context);
      return mutate(store, request, context, registry.UpdateLoggedModelResponseSchema, async (tx) => {
        const before = await loggedModels.get(project, request.id, tx);
        assertTagsThere(before, request.deleteTags);
        const after: LoggedModel = {
          ...before,
          status: statusFromProto(request.status) ?? before.status,
          tags: withTexts(withoutTexts(before.tags, request.deleteTags), request.setTags),
          params: withParams(before.id, before.params, request.params),
          updatedAt: new Date(),
        };
        await loggedModels.save(after, tx);
        return create(registry.UpdateLoggedModelResponseSchema, { model: loggedModelToProto(after) });
      });
    },

    async logModelMetrics(request, context) {
      const project = projectOf(context);
      return mutate(store, request, context, registry.LogModelMetricsResponseSchema, async (tx) => {
        const before = await loggedModels.get(project, request.id, tx);
        await loggedModels.save(
          { ...before, metrics: withMetrics(before.metrics, metricsFromProto(request.metrics)) },
          tx,
        );
        return create(registry.LogModelMetricsResponseSchema);
      });
    },

    async deleteLoggedModel(request, context) {
      const project = projectOf(context);
      return mutate(store, request, context, registry.DeleteLoggedModelResponseSchema, async (tx) => {
        const before = await loggedModels.get(project, request.id, tx);
        await loggedModels.save({ ...before, deleted: true, updatedAt: new Date() }, tx);
        return create(registry.DeleteLoggedModelResponseSchema);
      });
    },

    async searchLoggedModels({ experimentIds, clauses, orderBy, datasets, page }, context) {
      const search = {
        project: projectOf(context),
        experimentIds,
        clauses: clausesFromProto(clauses),
        orders: ordersFromProto(orderBy),
        datasets: datasets.map(({ name, digest }) => ({ name, digest })),
      };
      const { items, nextPageToken } = await loggedModels.search(search, pageQuery(page));
      const models = items.map(loggedModelToProto);
      return create(registry.SearchLoggedModelsResponseSchema, { models, page: { nextPageToken } });
    },

    putLoggedModelFile: (request, context) => putFile(parts, request, context),
    deleteLoggedModelFiles: (request, context) => deleteFiles(parts, request, context),
    listLoggedModelFiles: (request, context) => listFiles(parts, request, context),

    async linkLoggedModels({ runId, links }, context) {
      await loggedModels.link(projectOf(context), linksFromProto(runId, links), new Date());
      return create(registry.LinkLoggedModelsResponseSchema);
    },

    async listModelLinks({ runIds }, context) {
      const found = await loggedModels.linksOf(projectOf(context), runIds);
      const links = found.map(({ runId, modelId, output, step }) => ({
        runId,
        modelId,
        output,
        step: BigInt(step),
      }));
      return create(registry.ListModelLinksResponseSchema, { links });
    },
  };
}
