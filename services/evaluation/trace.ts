import { recordSpan } from "@trainyard/telemetry";
import type { Evaluation } from "./domain/evaluation.ts";

/** Records the evaluation as a span of the run's trace, where submit, training and promotion are. */
export function traceEvaluation(evaluation: Evaluation): void {
  const { state, message, report } = evaluation;
  recordSpan("evaluation", {
    tracerName: "evaluation",
    parent: evaluation.traceparent,
    startTime: evaluation.createdAt,
    endTime: evaluation.endedAt ?? evaluation.createdAt,
    attributes: {
      "trainyard.evaluation": evaluation.id,
      "trainyard.model": evaluation.model,
      "trainyard.model_version": evaluation.modelVersion,
      "trainyard.suite": `${evaluation.suite}@${evaluation.suiteRevision}`,
      "trainyard.state": state,
      "trainyard.gates_failed": report?.gates.filter(({ passed }) => !passed).length ?? 0,
    },
    ...(state === "errored" ? { error: message } : {}),
  });
}
