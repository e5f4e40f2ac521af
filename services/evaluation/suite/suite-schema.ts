import { z } from "zod";
import { classMetrics, isClassMetric } from "../domain/suite.ts";

const name = z
  .string()
  .regex(
    /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/,
    "expected 1 to 128 letters, digits, dots, dashes or underscores, not starting with a dot or dash",
  );

const column = z.string().min(1, "expected a column's name").max(256, "expected at most 256 characters");

const gate = z
  .strictObject({
    metric: z.string().min(1, "expected a metric's name").max(128, "expected at most 128 characters"),
    op: z.enum([">=", ">", "<=", "<"]),
    value: z.number(),
    perClass: z.boolean().default(false),
  })
  .refine(({ metric, perClass }) => !perClass || isClassMetric(metric), {
    path: ["metric"],
    message: `expected one of ${classMetrics.join(", ")} where perClass is true`,
  });

/** A suite file (`suite.yaml`): what a model version is measured on, and the gates that it must pass. */
export const suiteSchema = z.strictObject({
  apiVersion: z.literal("trainyard/v1"),
  kind: z.literal("EvaluationSuite"),
  name,
  dataset: name,
  datasetVersion: z
    .string()
    .regex(/^(latest|\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?)$/, 'expected "latest" or a version such as 1.2.0')
    .default("latest"),
  split: name.default("test"),
  target: column,
  gates: z.array(gate).min(1, "expected at least one gate").max(100, "expected at most 100 gates"),
});

/** A suite file as parsed, its defaults filled in. */
export type SuiteFile = z.output<typeof suiteSchema>;
