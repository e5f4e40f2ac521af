import { readFileSync } from "node:fs";
import { isDomainError } from "@trainyard/domain";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { compileRules } from "../domain/compile-rules.ts";
import { contractSchema } from "./contract-schema.ts";
import { contractHash } from "./digests.ts";
import { parseContract } from "./parse-contract.ts";

const base = `key: id
columns:
  - { name: id, type: int64 }
  - { name: "x_*", type: float, min: 0, max: 16 }
  - { name: note, type: string }
`;

function problemOf(yaml: string): string {
  try {
    parseContract(yaml, "digits");
  } catch (error) {
    if (isDomainError(error, "CONTRACT_INVALID")) return error.message;
    throw error;
  }
  return "none";
}

describe("parseContract", () => {
  it("reads the example", () => {
    const yaml = readFileSync(new URL("../../../examples/digits/contract.yaml", import.meta.url), "utf8");
    const { contract } = parseContract(yaml, "digits");
    expect(contract).toMatchObject({ key: "id", target: "label", stratifyBy: "label", seed: 7 });
    expect(contract.splits).toEqual({ train: 0.7, validation: 0.15, test: 0.15 });
  });

  it.each([
    ["a misspelt field", `${base}colums: []\n`, /contract\.yaml:6:\d+: /],
    ["a syntax error", "key: [", /contract\.yaml:1:\d+: /],
    [
      "a key that is not declared",
      base.replace("key: id", "key: idd"),
      /contract\.yaml:1:6: key: there is no column "idd"/,
    ],
    [
      "a key of a type that has no exact text",
      base.replace("int64", "float64"),
      /a float64 cannot identify a row/,
    ],
    [
      "fractions that do not sum to 1",
      `${base}splits: { train: 0.7, test: 0.2 }\n`,
      /sum to 1, they sum to 0.9/,
    ],
    [
      "bounds the wrong way round",
      base.replace("min: 0", "min: 17"),
      /columns\.1\.min: expected at most max/,
    ],
    [
      "a bound of a string",
      base.replace("note, type: string", "note, type: string, min: 1"),
      /use values or matches/,
    ],
    [
      "a pattern that is none",
      base.replace("note, type: string", "note, type: string, matches: '('"),
      /regular expression/,
    ],
    ["a column that is there twice", `${base}  - { name: id, type: int64 }\n`, /"id" is there twice/],
    ["a rule that says nothing", `${base}rules: [{ name: r }]\n`, /says nothing/],
    [
      "columns that cannot be compared",
      `${base}rules: [{ name: r, compare: [id, "<", note] }]\n`,
      /cannot be compared/,
    ],
    ["the contract of another dataset", `name: faces\n${base}`, /for dataset faces, the request for digits/],
    ["a contract that is too large", `# ${"x".repeat(300_000)}\n${base}`, /at most 262144/],
  ])("refuses %s", (_what, yaml, expected) => {
    expect(problemOf(yaml)).toMatch(expected);
  });

  it("knows two spellings of one contract as the same, and another seed as another", () => {
    const hash = (yaml: string) => contractHash(parseContract(yaml, "digits").contract);
    expect(hash(`# hello\nseed: 0\n${base}`)).toBe(hash(base));
    expect(hash(`seed: 1\n${base}`)).not.toBe(hash(base));
  });

  it("has a JSON Schema", () => {
    expect(z.toJSONSchema(contractSchema, { io: "input" })).toMatchObject({
      type: "object",
      required: ["key", "columns"],
    });
  });
});

describe("compileRules", () => {
  const { contract } = parseContract(
    `${base}rules:\n  - { name: many, minRows: 3, maxRows: 9 }\n  - { name: order, compare: [id, "<=", x_0] }\n`,
    "digits",
  );
  const column = (index: number, name: string, type: string) => ({ index, name, type });

  it("says each rule in words, in the contract's order, patterns column by column", () => {
    const columns = [
      column(0, "x_1", "FLOAT"),
      column(1, "id", "BIGINT"),
      column(2, "x_0", "DOUBLE"),
      column(3, "note", "VARCHAR"),
    ];
    expect(compileRules(contract, columns, "parquet").map(({ words }) => words)).toEqual([
      "id is int64",
      "id is not null",
      "id is unique",
      "x_1 is float",
      "x_1 is between 0 and 16",
      "x_0 is float",
      "x_0 is between 0 and 16",
      "note is string",
      "no columns beside the contract's",
      "at least 1 row",
      "many: at least 3 rows",
      "many: at most 9 rows",
      "order: id <= x_0",
    ]);
  });

  it("has no further rules for a column that is not there or of another type", () => {
    const rules = compileRules(contract, [column(0, "id", "INTEGER"), column(1, "y", "DATE")], "parquet");
    expect(
      rules.filter(({ test }) => test.kind === "decided" && !test.passed).map(({ words }) => words),
    ).toEqual([
      "id is int64, found INTEGER",
      "a column x_* is there",
      "column note is there",
      "no columns beside the contract's, found y",
    ]);
    expect(rules.some(({ words }) => words.startsWith("order"))).toBe(false);
  });
});
