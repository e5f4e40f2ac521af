import { z } from "zod";
import { columnTypes } from "../domain/column-type.ts";
import { comparisons } from "../domain/contract.ts";
import { MAX_SHARDS } from "../domain/plan-splits.ts";

const columnName = z.string().min(1).max(128);
const bound = z.union([z.number(), z.string()]);
const rows = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

const column = z.strictObject({
  name: columnName.describe("Name of the column, or a pattern: pixel_* means every column that begins so."),
  type: z
    .enum(columnTypes)
    .describe(
      "What its values are. float is float32 or float64, integer any whole number, number any number.",
    ),
  nullable: z.boolean().default(true).describe("Whether a value may be missing."),
  unique: z.boolean().default(false).describe("Whether no two rows may have the same value."),
  min: bound
    .optional()
    .describe("Smallest value allowed; a text such as 2026-01-31 for dates and timestamps."),
  max: bound.optional().describe("Largest value allowed."),
  values: z
    .array(z.union([z.string(), z.number(), z.boolean()]))
    .min(1)
    .max(1_000)
    .optional()
    .describe("The only values allowed."),
  matches: z
    .string()
    .max(1_000)
    .optional()
    .describe("Regular expression (RE2) that the whole text has to match."),
});

const rule = z.strictObject({
  name: z.string().min(1).max(128).describe("What the rule is called in the report."),
  minRows: rows.optional().describe("Rows that the file must have at least."),
  maxRows: rows.optional().describe("Rows that the file may have at most."),
  compare: z
    .tuple([columnName, z.enum(comparisons), columnName])
    .optional()
    .describe("Two columns of each row compared: [starts_at, <=, ends_at]."),
});

/**
 * A DatasetContract file. The descriptions end up in the published JSON Schema, where editors show them. What depends
 * on several fields is checked by `contractFileSchema`.
 */
export const contractSchema = z.strictObject({
  apiVersion: z.literal("trainyard/v1").default("trainyard/v1").describe("Version of this file format."),
  kind: z.literal("DatasetContract").default("DatasetContract").describe("What this file is."),
  name: z
    .string()
    .regex(
      /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/,
      "expected 1 to 128 of a-z A-Z 0-9 . _ -, not beginning with . or -",
    )
    .optional()
    .describe("Name of the dataset."),
  key: columnName.describe(
    "Column that identifies a row: never missing, always unique. Splits follow from it.",
  ),
  target: columnName.optional().describe("Column that a model is to predict."),
  columns: z.array(column).min(1).max(2_048).describe("The columns, by name or pattern."),
  allowExtraColumns: z
    .boolean()
    .default(false)
    .describe("Whether the file may have columns beside these; they are kept as they are."),
  rules: z.array(rule).max(256).default([]).describe("Rules about the table as a whole."),
  splits: z
    .record(
      z
        .string()
        .regex(
          /^[a-z][a-z0-9_-]{0,31}$/,
          "expected a name of a-z 0-9 _ -, beginning with a letter, at most 32",
        ),
      z.number().gt(0).max(1),
    )
    .default({ train: 0.8, validation: 0.1, test: 0.1 })
    .describe("Share of each split; together 1."),
  stratifyBy: columnName.optional().describe("Column whose values are spread evenly over the splits."),
  seed: z.int().min(0).default(0).describe("Another seed makes other splits."),
  shards: z
    .int()
    .min(1)
    .max(MAX_SHARDS)
    .optional()
    .describe("Parquet files per split; one per 65536 rows when left out."),
});
