import { isFloatType, isIntegerType } from "../domain/column-type.ts";
import type { FileColumn, RowCheck } from "../domain/rule.ts";
import { column, raw } from "./names.ts";
import { joined, number, type Sql, sql, text, typeName } from "./sql.ts";

/** A condition that is true exactly for the rows that break the check. */
export function brokenBy(check: RowCheck): Sql {
  const value = column(check.column);
  switch (check.kind) {
    case "not-null":
      return sql`${raw(check.column)} IS NULL`;
    case "readable":
      return sql`${raw(check.column)} IS NOT NULL AND ${value} IS NULL`;
    case "range":
      return broken(check.column, [
        ...(check.min === undefined ? [] : [sql`${value} < ${lowest(check.column, check.min)}`]),
        ...(check.max === undefined ? [] : [sql`${value} > ${highest(check.column, check.max)}`]),
      ]);
    case "values": {
      const allowed = joined(
        check.values.map((one) => literal(check.column, one)),
        ", ",
      );
      return sql`coalesce(${value} NOT IN (${allowed}), false)`;
    }
    case "matches":
      return sql`coalesce(NOT regexp_full_match(${value}, ${text(check.pattern)}), false)`;
    case "compare":
      return sql`coalesce(NOT (${value} ${{ code: check.operator }} ${column(check.other)}), false)`;
  }
}

/** Not a number is inside no range, whichever bounds there are. */
function broken(one: FileColumn, bounds: readonly Sql[]): Sql {
  const nan = isFloatType(one.type) ? [sql`isnan(${column(one)})`] : [];
  return sql`coalesce(${joined([...bounds, ...nan], " OR ")}, false)`;
}

function lowest(one: FileColumn, bound: number | string): Sql {
  return literal(one, typeof bound === "number" && isIntegerType(one.type) ? Math.ceil(bound) : bound);
}

function highest(one: FileColumn, bound: number | string): Sql {
  return literal(one, typeof bound === "number" && isIntegerType(one.type) ? Math.floor(bound) : bound);
}

/**
 * A contract's value in the column's type, so that 0.1 means the same 0.1 as in a column of floats. Whole numbers stay
 * literals: a bound outside the type's range is no error.
 */
function literal({ type }: FileColumn, value: string | number | boolean): Sql {
  if (typeof value === "boolean") return value ? sql`true` : sql`false`;
  if (typeof value === "number") {
    return isFloatType(type) ? sql`CAST(${text(String(value))} AS ${typeName(type)})` : number(value);
  }
  return type === "VARCHAR" ? text(value) : sql`CAST(${text(value)} AS ${typeName(type)})`;
}
