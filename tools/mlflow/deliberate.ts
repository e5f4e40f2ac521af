/** A place where this server answers otherwise than MLflow's, on purpose. */
export interface Deliberate {
  readonly scenario: string;
  readonly steps: readonly string[];
  readonly why: string;
}

/** Every deliberate difference that the parity check may find; docs/mlflow.md tells them to users. One that it does not find is an error, too. */
export const deliberate: readonly Deliberate[] = [
  {
    scenario: "experiment_lifecycle",
    steps: ["rename deleted"],
    why: "MLflow answers 500, which its client takes for a fault and repeats; here the same code comes with 400.",
  },
  {
    scenario: "registry_search",
    steps: ["order twice"],
    why: "MLflow answers 500 to a wrong order_by; here it is INVALID_PARAMETER_VALUE.",
  },
  {
    scenario: "logged_models",
    steps: ["search colour = 'x'", "search metrics.acc > 'x'"],
    why: "MLflow answers 500 to these wrong filters; here they are INVALID_PARAMETER_VALUE.",
  },
  {
    scenario: "logged_models",
    steps: ["search status = 'READY'", "on dataset"],
    why: "MLflow finds no model by its status, nor by a dataset that a metric named alone; here both find it.",
  },
  {
    scenario: "runs",
    steps: ["is KILLED", "is FAILED", "is FINISHED"],
    why: "A run that is told to have ended has an end time here, though its client gave none.",
  },
  {
    scenario: "batches",
    steps: ["run"],
    why: "Infinities are kept as they are; MLflow's SQL store makes them the largest float.",
  },
];
