import { registry } from "@trainyard/contracts";
import { newId } from "@trainyard/domain";
import { crashPoint } from "@trainyard/failpoint";
import { type EventHandler, on } from "@trainyard/store";
import type { Logger } from "@trainyard/telemetry";
import type { EvaluationParts } from "../api/deps.ts";
import { createEvaluation } from "../create-evaluation.ts";

/** A model version that names a suite is evaluated, once, however often its registration is told. */
export function evaluateNewVersion(
  { suites, evaluations }: Pick<EvaluationParts, "suites" | "evaluations">,
  logger: Logger,
): EventHandler {
  return on(registry.ModelVersionCreatedSchema, { mode: "every-one" }, async (tx, event) => {
    const version = event.data.modelVersion;
    if (version === undefined || version.suite === "") return;
    if ((await evaluations.findAutomatic(version.id, tx)) !== undefined) return;
    const evaluation = await createEvaluation(evaluations, tx, {
      id: newId("eval"),
      version,
      suiteName: version.suite,
      suite: await suites.find(version.project, version.suite, tx),
      automatic: true,
      createdBy: event.actor,
      now: new Date(),
    });
    crashPoint("evaluation.create.before-commit");
    logger.info(
      { evaluation: evaluation.id, model: version.model, version: version.version, state: evaluation.state },
      "evaluation of a new model version",
    );
  });
}
