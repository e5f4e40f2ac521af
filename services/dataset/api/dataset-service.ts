import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { dataset } from "@trainyard/contracts";
import { principalOf, projectOf } from "@trainyard/service";
import { lookUp } from "../store/look-up.ts";
import { deprecate } from "./deprecate.ts";
import type { DatasetParts } from "./deps.ts";
import { listDatasets, listVersions } from "./lists.ts";
import { register } from "./register.ts";
import { resolve } from "./resolve.ts";
import { versionToProto } from "./to-proto.ts";

/** DatasetService: the shortest reads stand here, everything else in a file of its own. */
export function datasetService(parts: DatasetParts): ServiceImpl<typeof dataset.DatasetService> {
  return {
    registerDatasetVersion: (request, context) => register(parts, request, context),
    resolveDatasetVersion: (request, context) => resolve(parts, request, context),
    deprecateDatasetVersion: (request, context) => deprecate(parts, request, context),
    listDatasets: (request, context) => listDatasets(parts, request, context),
    listDatasetVersions: (request, context) => listVersions(parts, request, context),

    async getDatasetVersion({ name, version }, context) {
      const where = { project: projectOf(context), name };
      const found = await lookUp(parts.repository, where, version || "latest");
      return create(dataset.GetDatasetVersionResponseSchema, { datasetVersion: versionToProto(found) });
    },

    async *exportDatasetVersions(_request, context) {
      for await (const version of parts.repository.all(principalOf(context).project)) {
        context.signal.throwIfAborted();
        yield create(dataset.ExportDatasetVersionsResponseSchema, {
          datasetVersion: versionToProto(version),
        });
      }
    },
  };
}
