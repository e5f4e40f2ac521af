import { create } from "@bufbuild/protobuf";
import { evaluation as contract } from "@trainyard/contracts";
import type { Tx } from "@trainyard/store";
import { evaluationToProto } from "./api/to-proto.ts";
import type { Evaluation } from "./domain/evaluation.ts";

/** The part of an event that is the same for both: the trace is the model version's. */
function envelope(evaluation: Evaluation, actor: string) {
  return {
    project: evaluation.project,
    id: evaluation.id,
    aggregateVersion: evaluation.version,
    actor,
    ...(evaluation.traceparent === "" ? {} : { traceparent: evaluation.traceparent }),
  };
}

export async function emitStarted(tx: Tx, evaluation: Evaluation): Promise<void> {
  const data = create(contract.EvaluationStartedSchema, { evaluation: evaluationToProto(evaluation) });
  await tx.emit({
    schema: contract.EvaluationStartedSchema,
    ...envelope(evaluation, evaluation.createdBy),
    data,
  });
}

export async function emitEnded(tx: Tx, evaluation: Evaluation): Promise<void> {
  const data = create(contract.EvaluationEndedSchema, { evaluation: evaluationToProto(evaluation) });
  await tx.emit({
    schema: contract.EvaluationEndedSchema,
    ...envelope(evaluation, "service:evaluation"),
    data,
  });
}
