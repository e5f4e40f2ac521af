import { evaluation } from "@trainyard/contracts";
import { formatMetric } from "../follow/metric-value.ts";
import { word } from "../follow/words.ts";
import type { Session } from "../session.ts";
import { fields } from "../terminal/fields.ts";
import { style } from "../terminal/style.ts";
import { renderTable } from "../terminal/table.ts";
import { safeText } from "../terminal/text.ts";

const { EvaluationState, GateOp } = evaluation;

const operators: Readonly<Record<evaluation.GateOp, string>> = {
  [GateOp.UNSPECIFIED]: "?",
  [GateOp.GE]: "≥",
  [GateOp.GT]: ">",
  [GateOp.LE]: "≤",
  [GateOp.LT]: "<",
};

/** A gate as a person reads it: "accuracy ≥ 0.93". */
export function gateText(gate: evaluation.Gate): string {
  return `${gate.metric}${gate.perClass ? " of each class" : ""} ${operators[gate.op]} ${formatMetric(gate.value)}`;
}

/** Colours an evaluation's state. */
export function paintEvaluation(text: string, { state }: evaluation.Evaluation): string {
  if (state === EvaluationState.PASSED) return style.good(text);
  return state === EvaluationState.FAILED || state === EvaluationState.ERRORED ? style.bad(text) : text;
}

/** An evaluation with its report. */
export function evaluationText(session: Session, found: evaluation.Evaluation): string {
  const { report } = found;
  const state = word(EvaluationState, found.state);
  const metrics = Object.entries(report?.metrics ?? {})
    .map(([key, value]) => `${key} ${formatMetric(value)}`)
    .join("  ");
  return [
    `${paintEvaluation("●", found)} ${style.bold(`${found.model}@${found.modelVersion}`)}  ${paintEvaluation(state, found)}`,
    "",
    fields([
      ["evaluation", found.id],
      ["suite", `${found.suite}@${found.suiteRevision}`],
      ["job", found.jobId],
      ["rows", report === undefined ? "" : `${report.rows} of version ${report.datasetVersion}`],
      ["metrics", metrics],
      ["ended", session.time(found.endedAt)],
      ["why", found.message],
    ]),
    ...gateLines(report?.gates ?? []),
    ...classLines(report?.classes ?? []),
  ].join("\n");
}

function gateLines(gates: readonly evaluation.GateResult[]): string[] {
  if (gates.length === 0) return [];
  return [
    "",
    style.bold("Gates"),
    ...gates.map(({ gate, passed, message }) => {
      const mark = passed ? style.good("✓") : style.bad("✗");
      return `  ${mark} ${safeText(message === "" && gate !== undefined ? gateText(gate) : message)}`;
    }),
  ];
}

function classLines(classes: readonly evaluation.ClassReport[]): string[] {
  if (classes.length === 0) return [];
  const table = renderTable(
    [
      { title: "class", cell: ({ label }: evaluation.ClassReport) => label },
      { title: "precision", cell: ({ precision }) => precision.toFixed(3) },
      { title: "recall", cell: ({ recall }) => recall.toFixed(3) },
      { title: "f1", cell: ({ f1 }) => f1.toFixed(3) },
      { title: "rows", cell: ({ support }) => String(support) },
    ],
    classes,
  );
  return ["", style.bold("Classes"), ...table.split("\n").map((line) => `  ${line}`)];
}
