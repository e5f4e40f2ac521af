import { create, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { dataset } from "@trainyard/contracts";
import { assertName } from "@trainyard/domain";
import { pageQuery, projectOf } from "@trainyard/service";
import { decodePageToken, encodePageToken, type Json } from "@trainyard/store";
import { lookUp } from "../store/look-up.ts";
import type { DatasetParts } from "./deps.ts";
import { listedVersionToProto } from "./to-proto.ts";

/** Bytes of one page: it ends early rather than exceed what one message may hold. */
const MAX_PAGE_BYTES = 3 * 1024 * 1024;

/** Datasets by name, each with its newest usable version. */
export async function listDatasets(
  { repository }: DatasetParts,
  request: dataset.ListDatasetsRequest,
  context: HandlerContext,
): Promise<dataset.ListDatasetsResponse> {
  const project = projectOf(context);
  const { size } = pageQuery(request.page);
  const query = { list: "datasets", project };
  const after = decodePageToken(request.page?.pageToken ?? "", query);
  const found = await repository.datasets(project, typeof after === "string" ? after : undefined, size + 1);
  const rows = await Promise.all(
    found.map(async ({ name, versionCount }) => {
      const latest = await repository.newest({ project, name }, "ready");
      return create(dataset.DatasetSchema, {
        name,
        versionCount,
        ...(latest === undefined ? {} : { latest: listedVersionToProto(latest) }),
      });
    }),
  );
  const { items, page } = toPage(dataset.DatasetSchema, rows, size, query, ({ name }) => name);
  return create(dataset.ListDatasetsResponseSchema, { datasets: items, page });
}

/** A dataset's versions, newest first. */
export async function listVersions(
  { repository }: DatasetParts,
  request: dataset.ListDatasetVersionsRequest,
  context: HandlerContext,
): Promise<dataset.ListDatasetVersionsResponse> {
  assertName("name", request.name);
  const where = { project: projectOf(context), name: request.name };
  const { size } = pageQuery(request.page);
  const query = { list: "versions", ...where };
  const before = decodePageToken(request.page?.pageToken ?? "", query);
  const found = await repository.versions(where, typeof before === "number" ? before : undefined, size + 1);
  // An unknown dataset is an error, not an empty list.
  if (found.length === 0 && before === undefined) await lookUp(repository, where, "latest");
  const numbers = new Map(found.map(({ id, number }) => [id, number]));
  const rows = found.map(listedVersionToProto);
  const schema = dataset.DatasetVersionSchema;
  const { items, page } = toPage(schema, rows, size, query, ({ id }) => numbers.get(id) ?? 0);
  return create(dataset.ListDatasetVersionsResponseSchema, { datasetVersions: items, page });
}

/** Of `size` rows and one more, those that fit, and the token of the next page if there is one. */
function toPage<S extends DescMessage>(
  schema: S,
  rows: readonly MessageShape<S>[],
  size: number,
  query: Json,
  position: (row: MessageShape<S>) => Json,
) {
  const items: MessageShape<S>[] = [];
  let bytes = 0;
  for (const row of rows.slice(0, size)) {
    bytes += toBinary(schema, row).length;
    if (bytes > MAX_PAGE_BYTES && items.length > 0) break;
    items.push(row);
  }
  const last = items.at(-1);
  const more = last !== undefined && rows.length > items.length;
  return { items, page: { nextPageToken: more ? encodePageToken(query, position(last)) : "" } };
}
