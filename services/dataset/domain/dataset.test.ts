import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { accepts } from "./column-type.ts";
import { isMeant } from "./contract.ts";
import { csvHeader } from "./csv-header.ts";
import type { Column } from "./dataset-version.ts";
import { chooseVersion, type Known } from "./next-version.ts";
import { printable } from "./printable.ts";
import { schemaDiff } from "./schema-diff.ts";

const known = (version: string, more: Partial<Known> = {}): Known => ({
  id: `dsv_${version}`,
  version,
  contentHash: `content of ${version}`,
  contractHash: "contract",
  format: "parquet",
  schemaHash: "schema",
  state: "ready",
  ...more,
});
const asked = (contentHash: string, schemaHash = "schema") =>
  ({ contentHash, contractHash: "contract", format: "parquet", schemaHash }) as const;

describe("chooseVersion", () => {
  it.each([
    ["begins with 1.0.0", [], asked("new"), "", { kind: "new", version: "1.0.0" }],
    ["is a minor for other rows", [known("1.0.0")], asked("new"), "", { kind: "new", version: "1.1.0" }],
    [
      "is a major for another schema",
      [known("1.4.2")],
      asked("new", "s2"),
      "",
      { kind: "new", version: "2.0.0" },
    ],
    [
      "counts from the highest version, not the last registered",
      [known("3.0.0"), known("1.0.1")],
      asked("new"),
      "",
      { kind: "new", version: "3.1.0" },
    ],
    [
      "is the one there is for the same content and contract",
      [known("1.0.0"), known("1.1.0")],
      asked("content of 1.0.0"),
      "",
      { kind: "existing", id: "dsv_1.0.0" },
    ],
    [
      "is new where the same content is deprecated",
      [known("1.0.0", { state: "deprecated" })],
      asked("content of 1.0.0"),
      "",
      { kind: "new", version: "1.1.0" },
    ],
    [
      "is the one asked for, also for content that has another name already",
      [known("1.0.0")],
      asked("content of 1.0.0"),
      "7.0.0",
      { kind: "new", version: "7.0.0" },
    ],
    [
      "is the existing one of that name with the same content",
      [known("1.0.0")],
      asked("content of 1.0.0"),
      "1.0.0",
      { kind: "existing", id: "dsv_1.0.0" },
    ],
  ] as const)("%s", (_what, versions, identity, wanted, expected) => {
    expect(chooseVersion(versions, identity, wanted)).toEqual(expected);
  });

  it("refuses a name that other content, or another contract, has", () => {
    expect(() => chooseVersion([known("1.0.0")], asked("new"), "1.0.0")).toThrow(/exists with other content/);
    const other = { ...asked("content of 1.0.0"), contractHash: "other" };
    expect(() => chooseVersion([known("1.0.0")], other, "1.0.0")).toThrow(/another contract/);
  });
});

describe("schemaDiff", () => {
  const column = (name: string, type = "BIGINT", nullable = false): Column => ({ name, type, nullable });

  it("names every column that is missing, new, or of another type or nullability", () => {
    const differences = schemaDiff(
      [column("a"), column("b"), column("c")],
      [column("a", "VARCHAR"), column("b", "BIGINT", true), column("d")],
    );
    expect(differences).toEqual([
      { field: "columns.a", description: "expected BIGINT, found VARCHAR" },
      { field: "columns.b", description: "expected BIGINT, found BIGINT, nulls allowed" },
      { field: "columns.c", description: "expected BIGINT, the column is missing" },
      { field: "columns.d", description: "not expected, found BIGINT" },
    ]);
  });

  it("finds nothing exactly where the columns are the same, order included", () => {
    const columns = fc.uniqueArray(
      fc.record({
        name: fc.string({ minLength: 1, maxLength: 3 }),
        type: fc.constantFrom("A", "B"),
        nullable: fc.boolean(),
      }),
      { selector: ({ name }) => name, maxLength: 5 },
    );
    fc.assert(
      fc.property(columns, columns, (a, b) => {
        expect(schemaDiff(a, a)).toEqual([]);
        expect(schemaDiff(a, b).length === 0).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });
});

describe("names of columns", () => {
  it.each([
    ["pixel_*", "pixel_0", true],
    ["pixel_*", "pixel_", true],
    ["pixel_*", "my_pixel_0", false],
    ["*_at", "created_at", true],
    ["a*a", "a", false],
    ["a*b*c", "a-b-b-c", true],
    ["a*b*c", "a-c", false],
    ["x.y", "xzy", false],
    ["*", "anything", true],
  ])("%s means %s: %s", (pattern, name, expected) => {
    expect(isMeant(pattern, name)).toBe(expected);
  });
});

describe("types", () => {
  it.each([
    ["float", "FLOAT", true],
    ["float", "DOUBLE", true],
    ["float", "DECIMAL(10,2)", false],
    ["number", "DECIMAL(10,2)", true],
    ["int64", "INTEGER", false],
    ["integer", "INTEGER", true],
    ["list", "FLOAT[3]", true],
    ["list", "STRUCT(a BIGINT)", false],
  ] as const)("%s accepts %s: %s", (type, duckdb, expected) => {
    expect(accepts(type, duckdb)).toBe(expected);
  });
});

describe("printable", () => {
  it("shortens, and shows what a terminal would act on", () => {
    expect(printable(null)).toBe("NULL");
    expect(printable("a\u001b[31mb\n")).toBe("a\\u{1b}[31mb\\u{a}");
    expect(printable("x".repeat(200))).toBe(`${"x".repeat(80)}…`);
    expect(printable("🚂🚂🚂", 2)).toBe("🚂🚂…");
  });
});

describe("csvHeader", () => {
  it.each([
    ["plain names", "id,b\n1,2\n", ["id", "b"]],
    ["a byte order mark and CRLF", "\ufeffid,b\r\n", ["id", "b"]],
    ["quotes, commas and line ends in names", '"a, ""b""","c\nd"\n1,2', ['a, "b"', "c\nd"]],
    ["no line end, where the file ends", "id", ["id"]],
    ["an empty name", "id,\n", ["id", ""]],
    ["a quote that does not end", '"id\n', undefined],
    ["text after a quote", '"id"x,b\n', undefined],
  ])("reads %s", (_what, text, expected) => {
    expect(csvHeader(text, true)).toEqual(expected);
  });

  it("does not take a part of a header for the whole", () => {
    expect(csvHeader("id,lab", false)).toBeUndefined();
  });
});
