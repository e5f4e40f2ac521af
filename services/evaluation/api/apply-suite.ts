import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { evaluation as contract } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { actorOf, mutate, projectOf } from "@trainyard/service";
import { type Suite, sameContent } from "../domain/suite.ts";
import { parseSuite } from "../suite/parse-suite.ts";
import { assertDataset } from "./assert-dataset.ts";
import type { EvaluationParts } from "./deps.ts";
import { suiteToProto } from "./to-proto.ts";

/** Makes a suite, or its next revision when its content differs from the newest. */
export async function applySuite(
  { store, suites, datasets }: EvaluationParts,
  request: contract.ApplySuiteRequest,
  context: HandlerContext,
): Promise<contract.ApplySuiteResponse> {
  const content = parseSuite(request.suiteYaml);
  const project = projectOf(context);
  await assertDataset(datasets, project, content);
  const id = newId("suite");
  return mutate(store, request, context, contract.ApplySuiteResponseSchema, async (tx, principal) => {
    const newest = await suites.find(project, content.name, tx);
    const changed = newest === undefined || !sameContent(newest, content);
    const suite: Suite = changed
      ? {
          ...content,
          id,
          project,
          revision: (newest?.revision ?? 0) + 1,
          sourceYaml: request.suiteYaml,
          createdBy: actorOf(principal),
          createdAt: new Date(),
        }
      : newest;
    if (changed) await suites.insert(suite, tx);
    return create(contract.ApplySuiteResponseSchema, { suite: suiteToProto(suite), changed });
  });
}
