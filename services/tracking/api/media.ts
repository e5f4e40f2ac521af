import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { holderName } from "@trainyard/blob";
import { tracking } from "@trainyard/contracts";
import { assertArtifactPath } from "@trainyard/domain";
import { pageQuery, principalOf } from "@trainyard/service";
import { decodePageToken, encodePageToken } from "@trainyard/store";
import type { Deps } from "../deps.ts";
import { artifactNotFound } from "../domain/artifact-path.ts";
import { mediaPath } from "../domain/media/media-path.ts";
import { awaitRun } from "../operations/await-run.ts";
import { withHeldBlobs } from "../operations/held-blobs.ts";
import { listMedia } from "../operations/list-media.ts";
import { previewArtifact } from "../operations/preview-artifact.ts";
import { putArtifact } from "../operations/put-artifact.ts";
import { mediaFromProto, mediaKindFromProto, mediaToProto } from "../wire/media.ts";
import { previewToProto } from "../wire/preview-to-proto.ts";
import { answerOnce } from "./once.ts";

type Methods = Pick<
  ServiceImpl<typeof tracking.ArtifactService>,
  "previewArtifact" | "logMedia" | "listMedia"
>;

/** Until the run refers to the bytes. */
const UPLOAD_TTL_MS = 60 * 60_000;

/** What runs show at their steps, and what files hold. */
export function mediaApi(deps: Deps): Methods {
  return {
    async previewArtifact({ runId, path }, context) {
      const run = await awaitRun(deps, runId, principalOf(context), context.signal);
      assertArtifactPath("path", path);
      const artifact = await deps.records.artifacts.find(run.id, path);
      if (artifact === undefined) throw artifactNotFound(run.id, path);
      return previewToProto(artifact, await previewArtifact(deps, artifact));
    },

    async logMedia(request, context) {
      const principal = principalOf(context);
      const { place, extension, bytes } = mediaFromProto(request);
      const path = mediaPath(place, extension);
      assertArtifactPath("key", path);
      const { id: runId, project } = await awaitRun(deps, request.runId, principal, context.signal);
      const pin = { holder: holderName({ kind: "upload", project, id: runId }), ttlMs: UPLOAD_TTL_MS };
      const file = { path, ...(await deps.blobs.put(bytes, { pin })) };
      const schema = tracking.LogMediaResponseSchema;
      return await withHeldBlobs(deps, runId, [file], (replaces) =>
        answerOnce(deps, context, request, schema, async (tx) => {
          const { artifact, replaced } = await putArtifact(deps, tx, { runId, file, principal });
          replaces(replaced);
          return create(schema, { media: mediaToProto(place, artifact) });
        }),
      );
    },

    async listMedia(request, context) {
      const { key, minStep = 0n, maxStep = BigInt(Number.MAX_SAFE_INTEGER) } = request;
      const run = await awaitRun(deps, request.runId, principalOf(context), context.signal);
      const kind = mediaKindFromProto(request.kind);
      const [from, to] = [Number(minStep), Number(maxStep)];
      const query = { list: "media", run: run.id, kind: kind ?? "", key, from, to };
      const { size, token } = pageQuery(request.page);
      const after = String(decodePageToken(token, query) ?? "");
      const of = { runId: run.id, kind, key, minStep: from, maxStep: to, after };
      const found = await listMedia(deps, { ...of, limit: size + 1 });
      const shown = found.slice(0, size);
      const last = found.length > size ? shown.at(-1) : undefined;
      return {
        media: shown.map(({ place, artifact }) => mediaToProto(place, artifact)),
        page: { nextPageToken: last === undefined ? "" : encodePageToken(query, last.artifact.path) },
      };
    },
  };
}
