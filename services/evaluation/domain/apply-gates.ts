import { describeComparison } from "./describe-comparison.ts";
import type { Measured } from "./measured.ts";
import { type Gate, type GateOp, isClassMetric } from "./suite.ts";

/** What one gate found. */
export interface GateResult {
  readonly gate: Gate;
  readonly passed: boolean;
  /** The worst class's with `perClass`; NaN when the metric is missing. */
  readonly measured: number;
  /** One sentence with the numbers. */
  readonly message: string;
}

const holds: Readonly<Record<GateOp, (measured: number, bound: number) => boolean>> = {
  ge: (measured, bound) => measured >= bound,
  gt: (measured, bound) => measured > bound,
  le: (measured, bound) => measured <= bound,
  lt: (measured, bound) => measured < bound,
};

/** Compares a report with the gates, in their order. What was not measured, or is NaN, has not passed. */
export function applyGates(gates: readonly Gate[], measured: Measured): readonly GateResult[] {
  return gates.map((gate) => (gate.perClass ? perClass(gate, measured) : overall(gate, measured)));
}

function overall(gate: Gate, { metrics }: Measured): GateResult {
  const value = Object.hasOwn(metrics, gate.metric) ? metrics[gate.metric] : undefined;
  if (value === undefined) {
    const has = Object.keys(metrics).sort().join(", ") || "none";
    return missing(gate, `${gate.metric} is missing from the report; it has ${has}`);
  }
  return compared(gate, value, gate.metric);
}

function perClass(gate: Gate, { classes }: Measured): GateResult {
  const { metric } = gate;
  if (!isClassMetric(metric)) return missing(gate, `${metric} is not measured per class`);
  const scored = classes.map((scores) => ({ label: scores.label, value: scores[metric] }));
  const [first, ...rest] = scored;
  if (first === undefined) return missing(gate, `${metric} per class is missing from the report`);
  const wantsMore = gate.op === "ge" || gate.op === "gt";
  const isWorse = (a: number, b: number) =>
    !Number.isNaN(b) && (Number.isNaN(a) || (wantsMore ? a < b : a > b));
  const worst = rest.reduce((held, other) => (isWorse(other.value, held.value) ? other : held), first);
  return compared(gate, worst.value, `${metric} of class ${worst.label}`);
}

function compared(gate: Gate, measured: number, what: string): GateResult {
  const passed = holds[gate.op](measured, gate.value);
  return {
    gate,
    passed,
    measured,
    message: `${what} ${describeComparison(gate.op, measured, gate.value, passed)}`,
  };
}

function missing(gate: Gate, message: string): GateResult {
  return { gate, passed: false, measured: Number.NaN, message };
}
