import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { evaluation as contract, type registry } from "@trainyard/contracts";
import { DomainError, newId } from "@trainyard/domain";
import { crashPoint } from "@trainyard/failpoint";
import { actorOf, fromConnectError, inProject, mutate, projectOf } from "@trainyard/service";
import { createEvaluation } from "../create-evaluation.ts";
import type { EvaluationParts } from "./deps.ts";
import { evaluationToProto } from "./to-proto.ts";

/** Starts an evaluation because a person asked for it; a version can have any number of these. */
export async function startEvaluation(
  { store, suites, evaluations, models, wake }: EvaluationParts,
  request: contract.StartEvaluationRequest,
  context: HandlerContext,
): Promise<contract.StartEvaluationResponse> {
  const project = projectOf(context);
  const version = await versionOf(models, project, request.model, request.modelVersion);
  const suiteName = request.suite || version.suite;
  if (suiteName === "") throw suiteMissing(version);
  const id = newId("eval");
  const answer = await mutate(
    store,
    request,
    context,
    contract.StartEvaluationResponseSchema,
    async (tx, principal) => {
      const suite = await suites.get(project, suiteName, tx);
      const evaluation = await createEvaluation(evaluations, tx, {
        id,
        version,
        suiteName,
        suite,
        automatic: false,
        createdBy: actorOf(principal),
        now: new Date(),
      });
      return create(contract.StartEvaluationResponseSchema, { evaluation: evaluationToProto(evaluation) });
    },
  );
  crashPoint("evaluation.create.committed");
  wake();
  return answer;
}

async function versionOf(
  models: EvaluationParts["models"],
  project: string,
  model: string,
  version: string,
): Promise<registry.ModelVersion> {
  try {
    const { modelVersion } = await models.getModelVersion({ model, version }, inProject(project));
    if (modelVersion?.project === project) return modelVersion;
  } catch (error) {
    throw fromConnectError(error);
  }
  throw new DomainError(
    "not_found",
    "MODEL_VERSION_NOT_FOUND",
    `There is no version ${version} of model ${model} in project ${project}.`,
  );
}

function suiteMissing({ model, version }: registry.ModelVersion): DomainError {
  const description = `${model} ${version} names no suite: name the one to measure it with`;
  return new DomainError("invalid_argument", "SUITE_MISSING", `suite: ${description}.`, {
    violations: [{ field: "suite", description }],
  });
}
