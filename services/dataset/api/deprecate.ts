import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { dataset } from "@trainyard/contracts";
import { crashPoint } from "@trainyard/failpoint";
import { actorOf, mutate, projectOf } from "@trainyard/service";
import { emitState } from "../events.ts";
import { lookUp } from "../store/look-up.ts";
import type { DatasetParts } from "./deps.ts";
import { assertText, invalidField } from "./from-proto.ts";
import { versionToProto } from "./to-proto.ts";

/** Takes a version out of use; one that is deprecated already stays as it is, with its first reason. */
export async function deprecate(
  { store, repository }: DatasetParts,
  request: dataset.DeprecateDatasetVersionRequest,
  context: HandlerContext,
): Promise<dataset.DeprecateDatasetVersionResponse> {
  if (request.reason.trim() === "") {
    throw invalidField("REASON_MISSING", "reason", "is required: say what to use instead, or what is wrong");
  }
  assertText("reason", request.reason);
  if (request.version === "" || request.version === "latest") {
    throw invalidField("VERSION_INVALID", "version", "expected a semantic version or an id, such as 1.2.0");
  }
  const where = { project: projectOf(context), name: request.name };
  const answer = await mutate(
    store,
    request,
    context,
    dataset.DeprecateDatasetVersionResponseSchema,
    async (tx, principal) => {
      const version = await lookUp(repository, where, request.version, tx);
      if (version.state === "deprecated") return answerOf(version);
      const deprecated = {
        ...version,
        state: "deprecated",
        deprecationReason: request.reason,
        aggregateVersion: version.aggregateVersion + 1,
      } as const;
      await repository.save(deprecated, tx);
      await emitState(tx, deprecated, actorOf(principal));
      return answerOf(deprecated);
    },
  );
  crashPoint("dataset.deprecate.committed");
  return answer;
}

function answerOf(version: Parameters<typeof versionToProto>[0]): dataset.DeprecateDatasetVersionResponse {
  return create(dataset.DeprecateDatasetVersionResponseSchema, { datasetVersion: versionToProto(version) });
}
