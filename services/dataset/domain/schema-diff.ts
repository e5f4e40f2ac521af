import type { FieldViolation } from "@trainyard/domain";
import type { Column } from "./dataset-version.ts";
import { printable } from "./printable.ts";

/** Columns in words: "BIGINT" or "BIGINT, nulls allowed". */
function words({ type, nullable }: Column): string {
  return nullable ? `${type}, nulls allowed` : type;
}

/** How `actual` differs from `expected`, column by column; empty when they are the same. */
export function schemaDiff(
  expected: readonly Column[],
  actual: readonly Column[],
): readonly FieldViolation[] {
  const field = (name: string) => `columns.${printable(name)}`;
  const have = new Map(actual.map((column) => [column.name, column]));
  const want = new Set(expected.map(({ name }) => name));
  const changed = expected.flatMap((column) => {
    const found = have.get(column.name);
    const expectedWords = words(column);
    if (found === undefined) {
      return [{ field: field(column.name), description: `expected ${expectedWords}, the column is missing` }];
    }
    if (words(found) === expectedWords) return [];
    return [{ field: field(column.name), description: `expected ${expectedWords}, found ${words(found)}` }];
  });
  const added = actual
    .filter(({ name }) => !want.has(name))
    .map((column) => ({ field: field(column.name), description: `not expected, found ${words(column)}` }));
  const differences = [...changed, ...added];
  return differences.length > 0 ? differences : orderDiff(expected, actual);
}

function orderDiff(expected: readonly Column[], actual: readonly Column[]): readonly FieldViolation[] {
  return expected.flatMap(({ name }, index) => {
    const found = actual[index]?.name;
    if (found === undefined || found === name) return [];
    const description = `expected as column ${index + 1}, where ${printable(found)} is`;
    return [{ field: `columns.${printable(name)}`, description }];
  });
}

/** What a schema hash is taken over: one spelling for one list of columns. */
export function schemaText(columns: readonly Column[]): string {
  return JSON.stringify(columns.map(({ name, type, nullable }) => ({ name, type, nullable })));
}
