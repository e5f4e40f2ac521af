import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { evaluation as contract } from "@trainyard/contracts";
import type { Evaluation, EvaluationState, Report } from "../domain/evaluation.ts";
import type { Gate, GateOp, Suite } from "../domain/suite.ts";

const states: Readonly<Record<EvaluationState, contract.EvaluationState>> = {
  pending: contract.EvaluationState.PENDING,
  running: contract.EvaluationState.RUNNING,
  passed: contract.EvaluationState.PASSED,
  failed: contract.EvaluationState.FAILED,
  errored: contract.EvaluationState.ERRORED,
};

const ops: Readonly<Record<GateOp, contract.GateOp>> = {
  ge: contract.GateOp.GE,
  gt: contract.GateOp.GT,
  le: contract.GateOp.LE,
  lt: contract.GateOp.LT,
};

function gateToProto({ metric, op, value, perClass }: Gate): contract.Gate {
  return create(contract.GateSchema, { metric, op: ops[op], value, perClass });
}

export function suiteToProto(suite: Suite): contract.Suite {
  return create(contract.SuiteSchema, {
    id: suite.id,
    project: suite.project,
    name: suite.name,
    revision: suite.revision,
    dataset: suite.dataset,
    datasetVersion: suite.datasetVersion,
    split: suite.split,
    target: suite.target,
    gates: suite.gates.map(gateToProto),
    sourceYaml: suite.sourceYaml,
    createdBy: suite.createdBy,
    createdAt: timestampFromDate(suite.createdAt),
  });
}

function reportToProto(report: Report): contract.Report {
  return create(contract.ReportSchema, {
    rows: BigInt(report.rows),
    datasetVersion: report.datasetVersion,
    metrics: { ...report.metrics },
    classes: report.classes.map((scores) => ({ ...scores, support: BigInt(scores.support) })),
    gates: report.gates.map((result) => ({ ...result, gate: gateToProto(result.gate) })),
    artifactDigest: report.artifactDigest,
  });
}

export function evaluationToProto(evaluation: Evaluation): contract.Evaluation {
  return create(contract.EvaluationSchema, {
    id: evaluation.id,
    project: evaluation.project,
    model: evaluation.model,
    modelVersionId: evaluation.modelVersionId,
    modelVersion: evaluation.modelVersion,
    suite: evaluation.suite,
    suiteRevision: evaluation.suiteRevision,
    state: states[evaluation.state],
    jobId: evaluation.jobId,
    runId: evaluation.runId,
    ...(evaluation.report === undefined ? {} : { report: reportToProto(evaluation.report) }),
    message: evaluation.message,
    version: BigInt(evaluation.version),
    createdBy: evaluation.createdBy,
    createdAt: timestampFromDate(evaluation.createdAt),
    ...(evaluation.endedAt === undefined ? {} : { endedAt: timestampFromDate(evaluation.endedAt) }),
  });
}
