/** The comparison that a gate asks for: >=, >, <=, <. */
export type GateOp = "ge" | "gt" | "le" | "lt";

/** Metrics that exist for each class on its own. */
export const classMetrics = ["precision", "recall", "f1"] as const;

export type ClassMetric = (typeof classMetrics)[number];

export function isClassMetric(metric: string): metric is ClassMetric {
  return classMetrics.some((known) => known === metric);
}

/** A bound on a metric. */
export interface Gate {
  readonly metric: string;
  readonly op: GateOp;
  readonly value: number;
  /** Whether it must hold for each class; then the metric is one of `classMetrics`. */
  readonly perClass: boolean;
}

/** What a suite says: two suites with the same content are the same revision. */
export interface SuiteContent {
  readonly name: string;
  readonly dataset: string;
  /** A semantic version, or "latest", which is resolved at each evaluation. */
  readonly datasetVersion: string;
  readonly split: string;
  readonly target: string;
  readonly gates: readonly Gate[];
}

/** One revision of a suite; never changed, only followed by the next. */
export interface Suite extends SuiteContent {
  readonly id: string;
  readonly project: string;
  /** From 1. */
  readonly revision: number;
  readonly sourceYaml: string;
  readonly createdBy: string;
  readonly createdAt: Date;
}

/** Whether both say the same, whatever their comments and layout. */
export function sameContent(a: SuiteContent, b: SuiteContent): boolean {
  return canonical(a) === canonical(b);
}

function canonical({ name, dataset, datasetVersion, split, target, gates }: SuiteContent): string {
  const bounds = gates.map(({ metric, op, value, perClass }) => [metric, op, value, perClass]);
  return JSON.stringify([name, dataset, datasetVersion, split, target, bounds]);
}
