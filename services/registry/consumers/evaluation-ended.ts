import { timestampDate } from "@bufbuild/protobuf/wkt";
import { evaluation as contract } from "@trainyard/contracts";
import { type EventHandler, on } from "@trainyard/store";
import type { Logger } from "@trainyard/telemetry";
import type { RegistryParts } from "../api/deps.ts";
import type { GateRecord } from "../domain/model-version.ts";
import { emitGateRecorded } from "../events.ts";

/** Records what an evaluation found on the version it measured; an evaluation that ended before the recorded one changes nothing. */
export function recordGate({ repository }: Pick<RegistryParts, "repository">, logger: Logger): EventHandler {
  return on(contract.EvaluationEndedSchema, { mode: "every-one" }, async (tx, event) => {
    const { evaluation } = event.data;
    if (evaluation === undefined) return;
    const version = await repository.findVersionById(evaluation.modelVersionId, tx);
    if (version === undefined) {
      logger.warn(
        { evaluation: evaluation.id, version: evaluation.modelVersionId },
        "evaluation of an unknown version",
      );
      return;
    }
    const gate = gateOf(evaluation, new Date(event.time));
    if (version.gate !== undefined && version.gate.at > gate.at) return;
    const model = await repository.getModel(version.project, version.model, tx);
    const raised = { ...model, version: model.version + 1 };
    const next = { ...version, gate, aggregateVersion: raised.version };
    await repository.saveModel(raised, tx);
    await repository.saveVersion(next, tx);
    await emitGateRecorded(tx, raised, next, event.actor);
  });
}

function gateOf(evaluation: contract.Evaluation, eventAt: Date): GateRecord {
  const failed = evaluation.report?.gates.filter(({ passed }) => !passed).map(({ message }) => message) ?? [];
  const passed = evaluation.state === contract.EvaluationState.PASSED;
  return {
    evaluationId: evaluation.id,
    passed,
    messages: passed || failed.length > 0 ? failed : [evaluation.message || "it could not be measured"],
    suite: `${evaluation.suite}@${evaluation.suiteRevision}`,
    at: evaluation.endedAt === undefined ? eventAt : timestampDate(evaluation.endedAt),
  };
}
