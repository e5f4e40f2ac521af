/** What a contract may demand of a column's values, by name, and what that means for a file. */
export const columnTypes = [
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "integer",
  "float32",
  "float64",
  "float",
  "number",
  "bool",
  "string",
  "date",
  "timestamp",
  "binary",
  "list",
] as const;

export type ColumnType = (typeof columnTypes)[number];

/** How values of a type are compared: only values of one kind can be. */
export type ValueKind = "number" | "text" | "bool" | "time" | "other";

interface TypeFacts {
  readonly kind: ValueKind;
  /** The DuckDB types that satisfy it; a list's is anything that ends in a bracket. */
  readonly accepts: readonly string[];
  /** What a CSV file's text is read as; absent where text cannot be. */
  readonly fromText?: string;
}

const signed = ["TINYINT", "SMALLINT", "INTEGER", "BIGINT"];
const unsigned = ["UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"];
const integers = [...signed, ...unsigned, "HUGEINT", "UHUGEINT"];
const timestamps = ["TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"];

const exactly = (kind: ValueKind, type: string): TypeFacts => ({ kind, accepts: [type], fromText: type });

const facts: Readonly<Record<ColumnType, TypeFacts>> = {
  int8: exactly("number", "TINYINT"),
  int16: exactly("number", "SMALLINT"),
  int32: exactly("number", "INTEGER"),
  int64: exactly("number", "BIGINT"),
  uint8: exactly("number", "UTINYINT"),
  uint16: exactly("number", "USMALLINT"),
  uint32: exactly("number", "UINTEGER"),
  uint64: exactly("number", "UBIGINT"),
  integer: { kind: "number", accepts: integers, fromText: "BIGINT" },
  float32: exactly("number", "FLOAT"),
  float64: exactly("number", "DOUBLE"),
  float: { kind: "number", accepts: ["FLOAT", "DOUBLE"], fromText: "DOUBLE" },
  number: { kind: "number", accepts: [...integers, "FLOAT", "DOUBLE", "DECIMAL"], fromText: "DOUBLE" },
  bool: exactly("bool", "BOOLEAN"),
  string: exactly("text", "VARCHAR"),
  date: exactly("time", "DATE"),
  timestamp: { kind: "time", accepts: timestamps, fromText: "TIMESTAMP" },
  binary: { kind: "other", accepts: ["BLOB"] },
  list: { kind: "other", accepts: [] },
};

export function kindOf(type: ColumnType): ValueKind {
  return facts[type].kind;
}

/** The DuckDB type that a CSV file's text is read as, or undefined where text cannot be. */
export function textReadAs(type: ColumnType): string | undefined {
  return facts[type].fromText;
}

/** Whether a file's column of that DuckDB type is what the contract demands. */
export function accepts(type: ColumnType, duckdbType: string): boolean {
  if (type === "list") return duckdbType.endsWith("]");
  return facts[type].accepts.includes(duckdbType.replace(/\(\d+,\d+\)$/, ""));
}

/** Whether a key of that type identifies a row by a text that every version of DuckDB writes alike. */
export function canBeKey(type: ColumnType): boolean {
  return type === "integer" || type === "string" || /^u?int\d/.test(type);
}

/** Whether values of a DuckDB type are whole numbers. */
export function isIntegerType(duckdbType: string): boolean {
  return integers.includes(duckdbType);
}

/** Whether a DuckDB type has NaN, which no bound admits. */
export function isFloatType(duckdbType: string): boolean {
  return duckdbType === "FLOAT" || duckdbType === "DOUBLE";
}
