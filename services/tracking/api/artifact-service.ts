import { create } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { tracking } from "@trainyard/contracts";
import { assertArtifactPath } from "@trainyard/domain";
import { pageQuery, principalOf } from "@trainyard/service";
import { decodePageToken, encodePageToken, type Json } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { artifactNotFound } from "../domain/artifact-path.ts";
import { awaitRun } from "../operations/await-run.ts";
import { deleteArtifact } from "../operations/delete-artifact.ts";
import { assertFiles, assertOwnBlob, releaseBlobs, withHeldBlobs } from "../operations/held-blobs.ts";
import { putArtifact } from "../operations/put-artifact.ts";
import type { EntryPosition } from "../store/artifact-tree.ts";
import { entryToProto } from "../wire/artifact-entry-to-proto.ts";
import { artifactToProto } from "../wire/checkpoint-to-proto.ts";
import { filesFromProto } from "../wire/from-proto.ts";
import { garbageApi } from "./garbage.ts";
import { mediaApi } from "./media.ts";
import { answerOnce } from "./once.ts";
import { uploadsApi } from "./uploads.ts";

/** Artifacts for those who are not the platform's agents. */
export function artifactService(deps: Deps): ServiceImpl<typeof tracking.ArtifactService> {
  const runOf = (runId: string, context: HandlerContext) =>
    awaitRun(deps, runId, principalOf(context), context.signal);
  return {
    ...uploadsApi(deps),
    ...garbageApi(deps),
    ...mediaApi(deps),

    async putArtifact(request, context) {
      const { path, digest, sizeBytes } = request;
      const named = create(tracking.StoredFileSchema, { path, digest, sizeBytes });
      const files = filesFromProto("artifact", [named]);
      assertFiles("artifact", files, 1, "one file a call");
      const [file] = files as [(typeof files)[number]]; // One was given.
      const { id: runId } = await runOf(request.runId, context);
      const principal = principalOf(context);
      await assertOwnBlob(deps.blobs, principal, file);
      const schema = tracking.PutArtifactResponseSchema;
      return await withHeldBlobs(deps, runId, files, (replaces) =>
        answerOnce(deps, context, request, schema, async (tx) => {
          const { artifact, replaced } = await putArtifact(deps, tx, { runId, file, principal });
          replaces(replaced);
          return create(schema, { artifact: artifactToProto(artifact) });
        }),
      );
    },

    async deleteArtifact(request, context) {
      const { path, recursive } = request;
      assertArtifactPath("path", path);
      const { id: runId } = await runOf(request.runId, context);
      const schema = tracking.DeleteArtifactResponseSchema;
      let gone: Awaited<ReturnType<typeof deleteArtifact>> = [];
      const answer = await answerOnce(deps, context, request, schema, async (tx) => {
        gone = await deleteArtifact(deps, tx, { runId, path, recursive, principal: principalOf(context) });
        const bytes = gone.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
        return create(schema, { deletedCount: BigInt(gone.length), deletedBytes: BigInt(bytes) });
      });
      await releaseBlobs(deps, runId, gone);
      return answer;
    },

    async getArtifact(request, context) {
      const run = await runOf(request.runId, context);
      assertArtifactPath("path", request.path);
      const artifact = await deps.records.artifacts.find(run.id, request.path);
      if (artifact === undefined) throw artifactNotFound(run.id, request.path);
      return { artifact: artifactToProto(artifact) };
    },

    async listArtifactTree(request, context) {
      const { path } = request;
      if (path !== "") assertArtifactPath("path", path);
      const run = await runOf(request.runId, context);
      const query = { list: "artifact-tree", run: run.id, path };
      const { size, token } = pageQuery(request.page);
      const after = positionOf(decodePageToken(token, query));
      const found = await deps.records.artifacts.entries(run.id, path, after, size + 1);
      const last = found.length > size ? found[size - 1] : undefined;
      const next = last === undefined ? "" : encodePageToken(query, [last.name, last.isFolder]);
      return {
        entries: found.slice(0, size).map((entry) => entryToProto(path, entry)),
        page: { nextPageToken: next },
      };
    },
  };
}

function positionOf(position: Json | undefined): EntryPosition | undefined {
  if (!Array.isArray(position)) return undefined;
  const [name, isFolder] = position;
  return { name: String(name), isFolder: isFolder === true };
}
