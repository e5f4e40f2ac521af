import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { tracking } from "@trainyard/contracts";
import { assertName } from "@trainyard/domain";
import { actorOf, principalOf } from "@trainyard/service";
import type { Deps } from "../deps.ts";
import { invalidField } from "../domain/errors.ts";
import { MAX_FILES_PER_MODEL } from "../domain/limits.ts";
import { awaitRun } from "../operations/await-run.ts";
import { assertFiles, withHeldBlobs } from "../operations/held-blobs.ts";
import { logArtifact } from "../operations/log-artifact.ts";
import { logModel } from "../operations/log-model.ts";
import { artifactToProto } from "../wire/checkpoint-to-proto.ts";
import { filesFromProto } from "../wire/from-proto.ts";
import { modelFromProto, modelToProto } from "../wire/model.ts";
import { answerOnce } from "./once.ts";

type Methods = Pick<
  ServiceImpl<typeof tracking.TrackingService>,
  "logArtifact" | "logModel" | "listArtifacts"
>;

/** Files and models that runs keep. */
export function artifactsApi(deps: Deps): Methods {
  return {
    async logArtifact(request, context) {
      const { runId, attempt } = request;
      const files = filesFromProto("file", request.file === undefined ? [] : [request.file]);
      const [file] = files;
      if (file === undefined) throw invalidField("file", "is required");
      assertFiles("file", files, 1, "one file a call");
      const schema = tracking.LogArtifactResponseSchema;
      const agent = principalOf(context);
      const report = { runId, attempt, file, nodeId: agent.name, actor: actorOf(agent) };
      return await withHeldBlobs(deps, runId, files, (replaces) =>
        answerOnce(deps, context, request, schema, async (tx) => {
          const { artifact, replaced } = await logArtifact(deps, tx, report);
          replaces(replaced);
          return create(schema, { artifact: artifactToProto(artifact) });
        }),
      );
    },

    async logModel(request, context) {
      const { runId, attempt } = request;
      if (request.model === undefined) throw invalidField("model", "is required");
      const nodeId = principalOf(context).name;
      const model = modelFromProto(request.model);
      assertName("model.name", model.name);
      assertFiles("model.files", model.files, MAX_FILES_PER_MODEL, "MAX_FILES_PER_MODEL");
      if (model.files.length === 0) throw invalidField("model.files", "a model has at least one file");
      const schema = tracking.LogModelResponseSchema;
      return await withHeldBlobs(deps, runId, model.files, () =>
        answerOnce(deps, context, request, schema, async (tx) =>
          create(schema, {
            model: modelToProto(await logModel(deps, tx, { runId, attempt, nodeId, model })),
          }),
        ),
      );
    },

    async listArtifacts(request, context) {
      const run = await awaitRun(deps, request.runId, principalOf(context), context.signal);
      return { artifacts: (await deps.records.artifacts.ofRun(run.id)).map(artifactToProto) };
    },
  };
}
