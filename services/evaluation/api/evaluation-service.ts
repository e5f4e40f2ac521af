import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { evaluation as contract } from "@trainyard/contracts";
import { pageQuery, projectOf } from "@trainyard/service";
import { applySuite } from "./apply-suite.ts";
import type { EvaluationParts } from "./deps.ts";
import { startEvaluation } from "./start-evaluation.ts";
import { evaluationToProto, suiteToProto } from "./to-proto.ts";

/** EvaluationService: the reads stand here, each change in a file of its own. */
export function evaluationService(parts: EvaluationParts): ServiceImpl<typeof contract.EvaluationService> {
  const { suites, evaluations } = parts;
  return {
    applySuite: (request, context) => applySuite(parts, request, context),
    startEvaluation: (request, context) => startEvaluation(parts, request, context),

    async getSuite({ name }, context) {
      const suite = await suites.get(projectOf(context), name);
      return create(contract.GetSuiteResponseSchema, { suite: suiteToProto(suite) });
    },

    async listSuites(_request, context) {
      const found = await suites.list(projectOf(context));
      return create(contract.ListSuitesResponseSchema, { suites: found.map(suiteToProto) });
    },

    async getEvaluation({ evaluationId }, context) {
      const evaluation = await evaluations.get(projectOf(context), evaluationId);
      return create(contract.GetEvaluationResponseSchema, { evaluation: evaluationToProto(evaluation) });
    },

    async listEvaluations({ model, modelVersionId, page }, context) {
      const query = {
        project: projectOf(context),
        ...(model === "" ? {} : { model }),
        ...(modelVersionId === "" ? {} : { modelVersionId }),
      };
      const { items, nextPageToken } = await evaluations.list(query, pageQuery(page));
      return create(contract.ListEvaluationsResponseSchema, {
        evaluations: items.map(evaluationToProto),
        page: { nextPageToken },
      });
    },

    async *exportEvaluations() {
      for await (const evaluation of evaluations.export()) {
        yield create(contract.ExportEvaluationsResponseSchema, { evaluation: evaluationToProto(evaluation) });
      }
    },
  };
}
