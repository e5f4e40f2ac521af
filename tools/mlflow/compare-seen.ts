import { isDeepStrictEqual } from "node:util";
import type { Refusal } from "../../services/gateway/mlflow/domain/refusals.ts";
import type { Deliberate } from "./deliberate.ts";

/** One step of a scenario: a value, or an error's code and message. */
export interface Step {
  readonly step: string;
  readonly [field: string]: unknown;
}

/** What a client saw of a server. */
export interface Seen {
  readonly version: string;
  readonly methods: readonly string[];
  readonly scenarios: Readonly<
    Record<string, { readonly methods: readonly string[]; readonly steps: readonly Step[] }>
  >;
  /** One call of each method that no scenario covers. */
  readonly alone: Readonly<Record<string, Step>>;
}

export interface Difference {
  readonly scenario: string;
  readonly step: string;
  readonly mlflow: unknown;
  readonly trainyard: unknown;
}

export interface ParityReport {
  readonly version: string;
  readonly methods: Readonly<Record<"total" | "same" | "refused", number>>;
  readonly steps: Readonly<Record<"total" | "same" | "deliberate", number>>;
  /** Differences that nobody decided on. */
  readonly differences: readonly Difference[];
  /** Methods that are neither compared nor refused. */
  readonly unclassified: readonly string[];
  /** Methods that were refused and are not on the list, and the other way round. */
  readonly refusedUnlisted: readonly string[];
  readonly listedUnrefused: readonly string[];
  /** Deliberate differences that were not found: the list says too much. */
  readonly deliberateUnfound: readonly string[];
}

const NOT_SUPPORTED = "not supported by this server";

/** Compares what a client saw of MLflow's server and of this one. */
export function compareSeen(
  mlflow: Seen,
  trainyard: Seen,
  refusals: readonly Pick<Refusal, "methods">[],
  deliberate: readonly Deliberate[],
): ParityReport {
  const isDeliberate = (scenario: string, step: string) =>
    deliberate.some((entry) => entry.scenario === scenario && entry.steps.includes(step));
  const all = Object.entries(mlflow.scenarios).flatMap(([scenario, { steps }]) =>
    differing(scenario, steps, trainyard.scenarios[scenario]?.steps ?? []),
  );
  const listed = new Set(refusals.flatMap(({ methods }) => methods));
  const refused = Object.entries(trainyard.alone).filter(([, step]) =>
    String(step.message ?? "").includes(NOT_SUPPORTED),
  );
  const refusedNames = new Set(refused.map(([method]) => method));
  const alone = Object.keys(trainyard.alone).filter((method) => !refusedNames.has(method));
  const aloneDiffering = alone.filter(
    (method) => !isDeepStrictEqual(mlflow.alone[method], trainyard.alone[method]),
  );
  const covered = new Set(Object.values(mlflow.scenarios).flatMap(({ methods }) => methods));
  const known = (method: string) => covered.has(method) || method in trainyard.alone;
  const undecided = [
    ...all.filter(({ scenario, step }) => !isDeliberate(scenario, step)),
    ...aloneDiffering.map((method) => ({
      scenario: "alone",
      step: method,
      mlflow: mlflow.alone[method],
      trainyard: trainyard.alone[method],
    })),
  ];
  const total = Object.values(mlflow.scenarios).reduce((sum, { steps }) => sum + steps.length, 0);
  const found = new Set(all.map(({ scenario, step }) => `${scenario}: ${step}`));
  const decided = deliberate.flatMap(({ scenario, steps }) => steps.map((step) => `${scenario}: ${step}`));
  return {
    version: mlflow.version,
    methods: {
      total: mlflow.methods.length,
      same:
        mlflow.methods.filter((method) => known(method) && !refusedNames.has(method)).length -
        aloneDiffering.length,
      refused: refused.length,
    },
    steps: { total, same: total - all.length, deliberate: decided.filter((name) => found.has(name)).length },
    differences: undecided,
    unclassified: mlflow.methods.filter((method) => !known(method)),
    refusedUnlisted: [...refusedNames].filter((method) => !listed.has(method)),
    listedUnrefused: [...listed].filter((method) => !refusedNames.has(method)),
    deliberateUnfound: decided.filter((name) => !found.has(name)),
  };
}

/** Whether the two servers are as they shall be. */
export function isParity(report: ParityReport): boolean {
  const { differences, unclassified, refusedUnlisted, listedUnrefused, deliberateUnfound } = report;
  return [differences, unclassified, refusedUnlisted, listedUnrefused, deliberateUnfound].every(
    ({ length }) => length === 0,
  );
}

function differing(
  scenario: string,
  mlflow: readonly Step[],
  trainyard: readonly Step[],
): readonly Difference[] {
  const ours = new Map(trainyard.map((step) => [step.step, step]));
  const theirs = new Set(mlflow.map(({ step }) => step));
  const changed = mlflow.filter((step) => !isDeepStrictEqual(step, ours.get(step.step)));
  const extra = trainyard.filter(({ step }) => !theirs.has(step));
  return [
    ...changed.map((step) => ({ scenario, step: step.step, mlflow: step, trainyard: ours.get(step.step) })),
    ...extra.map((step) => ({ scenario, step: step.step, mlflow: undefined, trainyard: step })),
  ];
}
