import { invalidParameter, invalidValue } from "./mlflow-error.ts";

/**
 * Requests as MLflow's protobuf messages write them in JSON: unknown fields are ignored, null is absent, whole numbers may
 * be texts. One message is a table of fields, and decoding gives an object typed by the table.
 */
export interface Field<T> {
  /** Gives the value, or undefined when it is none of this kind. */
  readonly decode: (value: unknown) => T | undefined;
  readonly required: boolean;
  /** A list: what a query string gives once is a list, too. */
  readonly repeated?: boolean;
}

export type Fields = Readonly<Record<string, Field<unknown>>>;

export type Decoded<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Field<infer T> & { readonly required: true }
    ? T
    : F[K] extends Field<infer T>
      ? T | undefined
      : never;
};

type Required<T> = Field<T> & { readonly required: true };

const field = <T>(decode: (value: unknown) => T | undefined, repeated = false): Field<T> => ({
  decode,
  required: false,
  repeated,
});

export const required = <T>(optional: Field<T>): Required<T> => ({ ...optional, required: true });

export const text = field((value) => (typeof value === "string" ? value : undefined));

export const integer = field((value) => {
  const read = typeof value === "string" && /^-?\d{1,19}$/.test(value) ? Number(value) : value;
  return typeof read === "number" && Number.isSafeInteger(read) ? read : undefined;
});

export const double = field((value) => {
  if (typeof value === "number") return value;
  if (typeof value !== "string" || value.trim() === "") return undefined;
  const read = Number(value);
  return Number.isNaN(read) && value !== "NaN" ? undefined : read;
});

export const flag = field((value) => {
  if (typeof value === "boolean") return value;
  if (value === "true" || value === "false") return value === "true";
  return undefined;
});

/** One of some words; their numbers in MLflow's protobuf are understood, too. */
export const word = <W extends string>(words: Readonly<Record<W, number>>): Field<W> =>
  field((value) => {
    const known = Object.entries(words) as [W, number][];
    return known.find(
      ([name, number]) => value === name || value === number || value === String(number),
    )?.[0];
  });

export const texts = field<readonly string[]>((value) => {
  if (!Array.isArray(value)) return undefined;
  return value.every((item) => typeof item === "string") ? value : undefined;
}, true);

export const message = <F extends Fields>(fields: F): Field<Decoded<F>> => {
  const entries = Object.entries(fields);
  return field((value) => (isRecord(value) ? decodedOrNone<F>(value, entries) : undefined));
};

export const list = <F extends Fields>(fields: F): Field<readonly Decoded<F>[]> => {
  const entries = Object.entries(fields);
  return field((value) => {
    if (!Array.isArray(value)) return undefined;
    const items: Decoded<F>[] = [];
    for (const item of value) {
      const decoded = isRecord(item) ? decodedOrNone<F>(item, entries) : undefined;
      if (decoded === undefined) return undefined;
      items.push(decoded);
    }
    return items;
  }, true);
};

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const SEE_DOCS = " See the API docs for more information about request parameters.";

/** Reads a request. Throws INVALID_PARAMETER_VALUE in MLflow's words for the first field that is missing or of another type. */
export function decode<F extends Fields>(body: Readonly<Record<string, unknown>>, fields: F): Decoded<F> {
  const read: Record<string, unknown> = {};
  for (const [name, { decode: decodeValue, required: isRequired }] of Object.entries(fields)) {
    const given = body[name] ?? (name === "run_id" ? body.run_uuid : undefined) ?? undefined;
    const value = given === undefined ? undefined : decodeValue(given);
    if (given !== undefined && value === undefined) {
      const hint = isBeyond(given)
        ? "this server keeps whole numbers up to 2^53 - 1."
        : `Value was of type '${typeName(given)}'.`;
      const { message: refusal } = invalidValue(name, given, ` Hint: ${hint}`);
      throw invalidParameter(refusal + SEE_DOCS);
    }
    if (isRequired && (value === undefined || value === "")) {
      throw invalidParameter(`Missing value for required parameter '${name}'.${SEE_DOCS}`);
    }
    read[name] = value;
  }
  // Each name of the table was read by its own field just now.
  return read as Decoded<F>;
}

/** Whether it is a whole number, and larger than a double holds exactly. */
function isBeyond(value: unknown): boolean {
  const read = typeof value === "string" && /^-?\d{1,19}$/.test(value) ? Number(value) : value;
  return typeof read === "number" && Number.isInteger(read) && !Number.isSafeInteger(read);
}

/** A message within a message: its required fields are looked at by whoever knows its place in the request. */
function decodedOrNone<F extends Fields>(
  body: Readonly<Record<string, unknown>>,
  fields: readonly (readonly [string, Field<unknown>])[],
): Decoded<F> | undefined {
  const read: Record<string, unknown> = {};
  for (const [name, { decode: decodeValue }] of fields) {
    const given = body[name] ?? undefined;
    const value = given === undefined ? undefined : decodeValue(given);
    if (given !== undefined && value === undefined) return undefined;
    read[name] = value;
  }
  return read as Decoded<F>;
}

/** The name of a value's type in Python, which MLflow's messages are written in. */
function typeName(value: unknown): string {
  if (Array.isArray(value)) return "list";
  switch (typeof value) {
    case "string":
      return "str";
    case "boolean":
      return "bool";
    case "number":
      return Number.isInteger(value) ? "int" : "float";
    default:
      return "dict";
  }
}
