import type { Comparison } from "./contract.ts";

/** A column of the file as it was read, by its place. */
export interface FileColumn {
  /** From 0, in the file's order. */
  readonly index: number;
  readonly name: string;
  /** Its DuckDB type after reading. */
  readonly type: string;
}

/** What one row must satisfy. A null satisfies everything but "not null". */
export type RowCheck =
  | { readonly kind: "not-null"; readonly column: FileColumn }
  /** Of a CSV file: that the text is a value of the type. */
  | { readonly kind: "readable"; readonly column: FileColumn }
  | {
      readonly kind: "range";
      readonly column: FileColumn;
      readonly min: number | string | undefined;
      readonly max: number | string | undefined;
    }
  | {
      readonly kind: "values";
      readonly column: FileColumn;
      readonly values: readonly (string | number | boolean)[];
    }
  | { readonly kind: "matches"; readonly column: FileColumn; readonly pattern: string }
  | {
      readonly kind: "compare";
      readonly column: FileColumn;
      readonly operator: Comparison;
      readonly other: FileColumn;
    };

/** How a rule is decided. */
export type RuleTest =
  /** By the columns alone; `everyRow` says that each row broke it. */
  | { readonly kind: "decided"; readonly passed: boolean; readonly everyRow: boolean }
  | { readonly kind: "rows"; readonly check: RowCheck }
  /** A row breaks it that repeats another's value: of three equal rows, two do. */
  | { readonly kind: "unique"; readonly column: FileColumn }
  | { readonly kind: "distinct"; readonly column: FileColumn; readonly max: number }
  | {
      readonly kind: "row-count";
      readonly min: number | undefined;
      readonly max: number | undefined;
    };

/** One rule of a contract, bound to a file's columns. */
export interface Rule {
  /** In words: "pixel_3 is between 0 and 16". */
  readonly words: string;
  /** The column it is about; empty for a rule about the table. */
  readonly column: string;
  readonly test: RuleTest;
}

/** What a rule found. */
export interface RuleResult {
  readonly rule: string;
  readonly column: string;
  readonly passed: boolean;
  readonly failedRows: number;
  readonly examples: readonly string[];
}

export interface ValidationReport {
  readonly passed: boolean;
  readonly rules: readonly RuleResult[];
}
