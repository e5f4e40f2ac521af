import type { ColumnType } from "./column-type.ts";

/** What every version of a dataset must hold, as its owner wrote it. Consistent in itself: the reader of the YAML made sure. */
export interface Contract {
  readonly name: string | undefined;
  /** The column that identifies a row; never null and always unique. */
  readonly key: string;
  readonly target: string | undefined;
  readonly columns: readonly ColumnSpec[];
  readonly allowExtraColumns: boolean;
  readonly rules: readonly TableRule[];
  /** Shares by split, summing to 1, in the order written. */
  readonly splits: Readonly<Record<string, number>>;
  readonly stratifyBy: string | undefined;
  readonly seed: number;
  /** Shards of every split; derived from the rows when absent. */
  readonly shards: number | undefined;
}

/** What is demanded of one column, or of all columns whose names match a pattern. */
export interface ColumnSpec {
  /** A name, or a pattern in which `*` stands for any characters. */
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
  readonly unique: boolean;
  /** Inclusive. Numbers for numbers, ISO texts for dates and timestamps. */
  readonly min: number | string | undefined;
  readonly max: number | string | undefined;
  readonly values: readonly (string | number | boolean)[] | undefined;
  /** Regular expression (RE2) that the whole text must match. */
  readonly matches: string | undefined;
}

export const comparisons = ["<", "<=", "=", "!=", ">=", ">"] as const;

export type Comparison = (typeof comparisons)[number];

/** A rule about the table as a whole, or about two columns of each row. */
export interface TableRule {
  readonly name: string;
  readonly minRows: number | undefined;
  readonly maxRows: number | undefined;
  readonly compare: readonly [left: string, operator: Comparison, right: string] | undefined;
}

/** Whether a column's name is meant by a spec's name. A pattern is matched without a regular expression engine's surprises. */
export function isMeant(specName: string, column: string): boolean {
  const parts = specName.split("*");
  if (parts.length === 1) return specName === column;
  const first = parts[0] ?? "";
  const last = parts.at(-1) ?? "";
  if (column.length < first.length + last.length) return false;
  if (!column.startsWith(first) || !column.endsWith(last)) return false;
  const end = column.length - last.length;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = column.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/** The spec that a column falls under: one with its very name before the first pattern that matches it. */
export function specOf(columns: readonly ColumnSpec[], column: string): ColumnSpec | undefined {
  return (
    columns.find(({ name }) => name === column) ??
    columns.find(({ name }) => name.includes("*") && isMeant(name, column))
  );
}
