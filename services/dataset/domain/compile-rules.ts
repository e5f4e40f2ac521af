import { accepts, textReadAs } from "./column-type.ts";
import { type ColumnSpec, type Contract, isMeant, specOf, type TableRule } from "./contract.ts";
import { printable, printableList } from "./printable.ts";
import type { FileColumn, Rule, RuleTest } from "./rule.ts";

/** Strata above which spreading rows evenly means nothing, and costs much. */
export const MAX_STRATA = 10_000;

export type FileKind = "parquet" | "csv";

/** The contract's rules for a file with these columns, in the contract's order. A column that is not there, or of another type, has no further rules. */
export function compileRules(
  contract: Contract,
  columns: readonly FileColumn[],
  kind: FileKind,
): readonly Rule[] {
  const spec = (column: FileColumn) => specOf(contract.columns, column.name);
  const usable = new Map<string, FileColumn>();
  const rules = contract.columns.flatMap((wanted) => {
    const own = columns.filter((column) => spec(column) === wanted);
    if (own.length === 0) return missing(wanted);
    return own.flatMap((column) => {
      if (!isTyped(wanted, column, kind)) return [mistyped(wanted, column)];
      usable.set(column.name, column);
      return columnRules(wanted, column, contract.key === column.name, kind);
    });
  });
  const extra = columns.filter((column) => spec(column) === undefined).map(({ name }) => name);
  if (!contract.allowExtraColumns) rules.push(noOthers(extra));
  const strata = contract.stratifyBy === undefined ? undefined : usable.get(contract.stratifyBy);
  if (strata !== undefined) rules.push(fewStrata(strata));
  rules.push({ words: "at least 1 row", column: "", test: { kind: "row-count", min: 1, max: undefined } });
  return [...rules, ...contract.rules.flatMap((rule) => tableRules(rule, usable))];
}

function isTyped(spec: ColumnSpec, column: FileColumn, kind: FileKind): boolean {
  return kind === "csv" ? textReadAs(spec.type) !== undefined : accepts(spec.type, column.type);
}

const decided = (passed: boolean, everyRow: boolean): RuleTest => ({ kind: "decided", passed, everyRow });

function missing({ name }: ColumnSpec): Rule[] {
  const words = name.includes("*") ? `a column ${name} is there` : `column ${name} is there`;
  return [{ words, column: name, test: decided(false, true) }];
}

function mistyped(spec: ColumnSpec, column: FileColumn): Rule {
  const words = `${printable(column.name)} is ${spec.type}, found ${printable(column.type)}`;
  return { words, column: column.name, test: decided(false, true) };
}

function noOthers(extra: readonly string[]): Rule {
  const found = extra.length === 0 ? "" : `, found ${printableList(extra)}`;
  return {
    words: `no columns beside the contract's${found}`,
    column: "",
    test: decided(extra.length === 0, false),
  };
}

function fewStrata(column: FileColumn): Rule {
  const words = `${printable(column.name)} has at most ${MAX_STRATA} values to stratify by`;
  return { words, column: column.name, test: { kind: "distinct", column, max: MAX_STRATA } };
}

function columnRules(spec: ColumnSpec, column: FileColumn, isKey: boolean, kind: FileKind): Rule[] {
  const rules: Rule[] = [];
  const add = (what: string, test: RuleTest) =>
    rules.push({ words: `${printable(column.name)} ${what}`, column: column.name, test });
  if (kind === "csv") add(`is ${spec.type}`, { kind: "rows", check: { kind: "readable", column } });
  else add(`is ${spec.type}`, decided(true, false));
  if (isKey || !spec.nullable) add("is not null", { kind: "rows", check: { kind: "not-null", column } });
  if (isKey || spec.unique) add("is unique", { kind: "unique", column });
  const { min, max, values, matches } = spec;
  if (min !== undefined || max !== undefined) {
    add(rangeWords(min, max), { kind: "rows", check: { kind: "range", column, min, max } });
  }
  if (values !== undefined) {
    add(`is one of ${printableList(values.map(String), 20)}`, {
      kind: "rows",
      check: { kind: "values", column, values },
    });
  }
  if (matches !== undefined) {
    add(`matches ${printable(matches)}`, {
      kind: "rows",
      check: { kind: "matches", column, pattern: matches },
    });
  }
  return rules;
}

function rangeWords(min: number | string | undefined, max: number | string | undefined): string {
  if (max === undefined) return `is at least ${min}`;
  return min === undefined ? `is at most ${max}` : `is between ${min} and ${max}`;
}

function tableRules(rule: TableRule, usable: ReadonlyMap<string, FileColumn>): Rule[] {
  const { name, minRows: min, maxRows: max, compare } = rule;
  const rules: Rule[] = [];
  if (min !== undefined) {
    const test: RuleTest = { kind: "row-count", min, max: undefined };
    rules.push({ words: `${name}: at least ${min} rows`, column: "", test });
  }
  if (max !== undefined) {
    const test: RuleTest = { kind: "row-count", min: undefined, max };
    rules.push({ words: `${name}: at most ${max} rows`, column: "", test });
  }
  if (compare === undefined) return rules;
  const [left, operator, right] = compare;
  const column = usable.get(left);
  const other = usable.get(right);
  // Where one is missing, its own rule says so.
  if (column === undefined || other === undefined) return rules;
  const words = `${name}: ${printable(left)} ${operator} ${printable(right)}`;
  const test: RuleTest = { kind: "rows", check: { kind: "compare", column, operator, other } };
  return [...rules, { words, column: left, test }];
}

/** Whether nulls are allowed in a file's column; where the contract does not speak of it, they are. */
export function isNullable(contract: Contract, column: string): boolean {
  if (column === contract.key) return false;
  return specOf(contract.columns, column)?.nullable ?? true;
}

/** Whether a contract speaks of a column, by name or pattern. */
export function isDeclared(contract: Pick<Contract, "columns">, column: string): boolean {
  return contract.columns.some(({ name }) => isMeant(name, column));
}
