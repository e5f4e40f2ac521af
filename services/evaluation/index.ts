/** The evaluation service: says whether a model version is good enough, and why. */
export { build } from "./app.ts";
export { type EvaluationConfig, parseEvaluationConfig } from "./config.ts";
export { type SuiteFile, suiteSchema } from "./suite/suite-schema.ts";
