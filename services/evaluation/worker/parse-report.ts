import { z } from "zod";
import type { Measured } from "../domain/measured.ts";
import { parsePythonJson } from "./parse-python-json.ts";

/** More classes, or more scalars, would not fit into an event. */
const maxClasses = 1_000;
const maxMetrics = 500;

const number = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);
const count = z.int().min(0);
const text = z.string().max(128);
const metricName = z.string().regex(/^[A-Za-z][\w./:@-]{0,127}$/, "expected a metric's name");

const schema = z.object({
  schema: z.literal(1),
  rows: count,
  metrics: z
    .record(metricName, number)
    .refine((metrics) => Object.keys(metrics).length <= maxMetrics, `expected at most ${maxMetrics} metrics`),
  perClass: z
    .array(
      z.object({
        label: z.union([text, z.number()]).transform(String),
        precision: number,
        recall: number,
        f1: number,
        support: count,
      }),
    )
    .max(maxClasses)
    .default([]),
});

/** A report that cannot be used; the message says what is wrong with it. */
export class ReportError extends Error {
  override readonly name = "ReportError";
}

/** Reads `evaluation.json` of an evaluation job. It comes from a process that ran a user's model, so nothing in it is trusted. */
export function parseReport(bytes: Uint8Array): Measured {
  const result = schema.safeParse(parseJson(bytes));
  if (result.success) {
    const { rows, metrics, perClass } = result.data;
    return { rows, metrics, classes: perClass };
  }
  const problems = result.error.issues
    .slice(0, 3)
    .map(({ path, message }) => `${path.join(".") || "it"}: ${message}`);
  throw new ReportError(`evaluation.json is not a report: ${problems.join("; ")}`);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    const json = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return parsePythonJson(json);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ReportError(`evaluation.json is not valid JSON: ${why.slice(0, 200)}`, { cause: error });
  }
}
