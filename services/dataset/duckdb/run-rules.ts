import { DomainError } from "@trainyard/domain";
import { printable } from "../domain/printable.ts";
import type { FileColumn, Rule, RuleResult, RuleTest, ValidationReport } from "../domain/rule.ts";
import { brokenBy } from "./check-sql.ts";
import { DuckdbError } from "./duckdb-error.ts";
import { column, raw } from "./names.ts";
import type { Duckdb, Row } from "./open-duckdb.ts";
import { joined, type Sql, sql, text } from "./sql.ts";

const MAX_EXAMPLES = 5;
/** Rules that get examples; a file that breaks more is broken as a whole. */
const MAX_RULES_WITH_EXAMPLES = 50;

/** What a file is and how it keeps its contract. */
export interface Validated {
  readonly rowCount: number;
  readonly report: ValidationReport;
}

/**
 * Decides the rules over view `typed`: one pass over the rows counts what breaks each, one more per unique column finds
 * the duplicates; examples are looked up only for what failed. The order of the file's rows makes no difference.
 */
export async function runRules(
  db: Duckdb,
  rules: readonly Rule[],
  key: FileColumn | undefined,
): Promise<Validated> {
  await assertPatterns(db, rules);
  const checks = rules.map(({ test }) => (test.kind === "rows" ? brokenBy(test.check) : undefined));
  const counted = checks.flatMap((check) =>
    check === undefined ? [] : [sql`count(*) FILTER (WHERE ${check})`],
  );
  const [totals = []] = await db.rows(sql`SELECT ${joined([sql`count(*)`, ...counted], ", ")} FROM typed`);
  const [rowCount = 0, ...counts] = totals.map(Number);
  const results: RuleResult[] = [];
  let shown = 0;
  for (const [index, rule] of rules.entries()) {
    const found = await decide(
      db,
      rule.test,
      rowCount,
      checks[index] === undefined ? 0 : (counts.shift() ?? 0),
    );
    const wantsExamples = !found.passed && found.failedRows > 0 && shown < MAX_RULES_WITH_EXAMPLES;
    if (wantsExamples) shown++;
    const examples = wantsExamples ? await examplesOf(db, rule.test, key) : [];
    results.push({ rule: rule.words, column: rule.column, ...found, examples });
  }
  return { rowCount, report: { passed: results.every(({ passed }) => passed), rules: results } };
}

async function decide(
  db: Duckdb,
  test: RuleTest,
  rowCount: number,
  counted: number,
): Promise<Pick<RuleResult, "passed" | "failedRows">> {
  switch (test.kind) {
    case "decided":
      return { passed: test.passed, failedRows: !test.passed && test.everyRow ? rowCount : 0 };
    case "rows":
      return { passed: counted === 0, failedRows: counted };
    case "unique": {
      const repeats = await single(
        db,
        sql`SELECT coalesce(sum(n - 1), 0)::BIGINT FROM (SELECT count(*) AS n FROM typed WHERE ${column(test.column)} IS NOT NULL GROUP BY ${column(test.column)} HAVING count(*) > 1)`,
      );
      return { passed: repeats === 0, failedRows: repeats };
    }
    case "distinct": {
      const values = await single(
        db,
        sql`SELECT count(*) FROM (SELECT DISTINCT ${column(test.column)} FROM typed LIMIT ${test.max + 1})`,
      );
      return { passed: values <= test.max, failedRows: 0 };
    }
    case "row-count": {
      const passed = rowCount >= (test.min ?? 0) && rowCount <= (test.max ?? Number.POSITIVE_INFINITY);
      return { passed, failedRows: 0 };
    }
  }
}

async function single(db: Duckdb, statement: Sql): Promise<number> {
  const [[value] = []] = await db.rows(statement);
  return Number(value ?? 0);
}

/** Up to five rows that break a rule, lowest keys first. */
async function examplesOf(
  db: Duckdb,
  test: RuleTest,
  key: FileColumn | undefined,
): Promise<readonly string[]> {
  const keyText = key === undefined ? sql`NULL` : sql`CAST(${raw(key)} AS VARCHAR)`;
  const order = key === undefined ? sql`rid` : sql`${column(key)} NULLS LAST, ${raw(key)} NULLS LAST, rid`;
  if (test.kind === "unique") {
    const value = column(test.column);
    const found = await db.rows(
      sql`SELECT min(${keyText}), CAST(${value} AS VARCHAR), count(*)::VARCHAR FROM typed WHERE ${value} IS NOT NULL GROUP BY ${value} HAVING count(*) > 1 ORDER BY ${value} LIMIT ${MAX_EXAMPLES}`,
    );
    return found.map(([id, shown, times]) =>
      pairs([
        [key, id],
        [test.column, shown],
      ]).concat(` rows=${times}`),
    );
  }
  if (test.kind !== "rows") return [];
  const { check } = test;
  const columns = check.kind === "compare" ? [check.column, check.other] : [check.column];
  const values = columns.map((one) => sql`CAST(${raw(one)} AS VARCHAR)`);
  const found = await db.rows(
    sql`SELECT ${joined([keyText, ...values], ", ")} FROM typed WHERE ${brokenBy(check)} ORDER BY ${order} LIMIT ${MAX_EXAMPLES}`,
  );
  return found.map(([id, ...shown]) =>
    pairs([[key, id], ...columns.map((one, index) => [one, shown[index]] as const)]),
  );
}

/** "id=17 pixel_3=255.0"; a column that is the key stands there once. */
function pairs(values: readonly (readonly [FileColumn | undefined, Row[number] | undefined])[]): string {
  const seen = new Set<number>();
  const parts = values.flatMap(([one, value]) => {
    if (one === undefined || seen.has(one.index)) return [];
    seen.add(one.index);
    return [
      `${printable(one.name)}=${printable(value === null || value === undefined ? null : String(value))}`,
    ];
  });
  return parts.join(" ");
}

/** What only RE2 refuses is found here, before the rows are looked at. */
async function assertPatterns(db: Duckdb, rules: readonly Rule[]): Promise<void> {
  for (const { test } of rules) {
    if (test.kind !== "rows" || test.check.kind !== "matches") continue;
    const { pattern } = test.check;
    try {
      await db.rows(sql`SELECT regexp_full_match('', ${text(pattern)})`);
    } catch (cause) {
      if (!(cause instanceof DuckdbError)) throw cause;
      const description = `matches: ${printable(pattern)} is no regular expression that RE2 knows: ${printable(cause.message.split("\n")[0] ?? "")}`;
      throw new DomainError("invalid_argument", "CONTRACT_INVALID", description, {
        violations: [{ field: "columns", description }],
        cause,
      });
    }
  }
}
