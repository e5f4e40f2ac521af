import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { registry } from "@trainyard/contracts";
import { actorOf, mutate, pageQuery, principalOf, projectOf } from "@trainyard/service";
import { decodePageToken, encodePageToken, type Json, type Tx } from "@trainyard/store";
import { withoutTexts, withTexts } from "../domain/catalog.ts";
import { assertLoggedModelName, type LoggedModel, withParams } from "../domain/logged-model.ts";
import { PAGE_CHUNKS } from "../store/model-points.ts";
import type { RegistryParts } from "./deps.ts";
import { deleteFiles, listFiles, putFile } from "./logged-model-files.ts";
import {
  assertTagsThere,
  linksFromProto,
  loggedModelsToProto,
  pointsFromProto,
  pointToProto,
  statusFromProto,
} from "./logged-model-proto.ts";
import { clausesFromProto, ordersFromProto } from "./search-from-proto.ts";

/** LoggedModelService: models as outside clients log them. */
export function loggedModelService(parts: RegistryParts): ServiceImpl<typeof registry.LoggedModelService> {
  const { store, loggedModels } = parts;
  const withModel = async (one: LoggedModel, tx?: Tx) => {
    const [model] = await loggedModelsToProto(loggedModels.points, [one], tx);
    return model === undefined ? {} : { model };
  };
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
        series: [],
        pointCount: 0,
        createdBy: actorOf(principalOf(context)),
        createdAt: now,
        updatedAt: now,
        deleted: false,
      };
      return mutate(store, request, context, registry.CreateLoggedModelResponseSchema, async (tx) => {
        await loggedModels.insert(model, tx);
        return create(registry.CreateLoggedModelResponseSchema, await withModel(model, tx));
      });
    },

    async getLoggedModel({ id, allowDeleted }, context) {
      const model = await loggedModels.get(projectOf(context), id, undefined, allowDeleted);
      return create(registry.GetLoggedModelResponseSchema, await withModel(model));
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
        return create(registry.UpdateLoggedModelResponseSchema, await withModel(after, tx));
      });
    },

    async logModelMetrics(request, context) {
      const project = projectOf(context);
      const points = pointsFromProto(request.metrics);
      return mutate(store, request, context, registry.LogModelMetricsResponseSchema, async (tx) => {
        const model = await loggedModels.get(project, request.id, tx);
        await loggedModels.append(model, points, tx);
        return create(registry.LogModelMetricsResponseSchema);
      });
    },

    async listModelMetrics({ id, pageToken }, context) {
      await loggedModels.get(projectOf(context), id, undefined, true);
      const query: Json = { list: "model metrics", id };
      const from = decodePageToken(pageToken, query);
      const begin = typeof from === "number" ? from : 0;
      const { points, isLast } = await loggedModels.points.page(id, begin);
      const nextPageToken = isLast ? "" : encodePageToken(query, begin + PAGE_CHUNKS);
      const metrics = points.map(pointToProto);
      return create(registry.ListModelMetricsResponseSchema, { metrics, nextPageToken });
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
      const models = await loggedModelsToProto(loggedModels.points, items);
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
