import { DomainError } from "@trainyard/domain";

const named: Readonly<Record<string, number>> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  "+inf": Number.POSITIVE_INFINITY,
  infinity: Number.POSITIVE_INFINITY,
  "-inf": Number.NEGATIVE_INFINITY,
  "-infinity": Number.NEGATIVE_INFINITY,
};

/** A double as Python or ProtoJSON writes it: "0.1", "nan", "inf", "-Infinity". Throws MLFLOW_VALUE_INVALID. */
export function doubleOf(value: unknown): number {
  if (typeof value === "number") return value;
  const text = String(value).trim();
  const number = named[text.toLowerCase()] ?? (text === "" ? Number.NaN : Number(text));
  if (!Number.isNaN(number) || text.toLowerCase() === "nan") return number;
  throw invalid("a number", value);
}

/** A whole number as it stands in JSON (as a number or a text), a database or a file. Throws MLFLOW_VALUE_INVALID. */
export function wholeOf(value: unknown): bigint {
  if (typeof value === "bigint") return value;
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value);
  if (typeof value === "string" && /^-?\d{1,19}$/.test(value)) return BigInt(value);
  throw invalid("a whole number", value);
}

/** Milliseconds since 1970; undefined for none. */
export function timeOf(value: unknown): number | undefined {
  return value === undefined || value === null || value === "" ? undefined : Number(wholeOf(value));
}

function invalid(expected: string, value: unknown): DomainError {
  return new DomainError(
    "invalid_argument",
    "MLFLOW_VALUE_INVALID",
    `expected ${expected}, found ${JSON.stringify(String(value).slice(0, 80))}`,
  );
}
