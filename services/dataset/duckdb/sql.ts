/**
 * SQL in which every value stands as an escaped literal or identifier. Write statements as sql`…${text(value)}…`; what
 * is interpolated must be made here, so that nothing of a file or a request is ever spliced in.
 */
export interface Sql {
  readonly code: string;
}

/** Joins SQL; anything that is not SQL, or a number of this program's own, does not compile. */
export function sql(parts: TemplateStringsArray, ...values: readonly (Sql | number)[]): Sql {
  const code = parts.reduce((all, part, index) => {
    const value = values[index - 1];
    return all + (typeof value === "number" ? number(value).code : (value?.code ?? "")) + part;
  });
  return { code };
}

/** A text literal. */
export function text(value: string): Sql {
  if (value.includes("\0")) throw new RangeError("a text with a null character cannot be part of SQL");
  return { code: `'${value.replaceAll("'", "''")}'` };
}

/** A name of a column or table. */
export function identifier(name: string): Sql {
  if (name === "" || name.includes("\0")) throw new RangeError("not a name");
  return { code: `"${name.replaceAll('"', '""')}"` };
}

/** A number literal, exactly as JavaScript would print it. */
export function number(value: number): Sql {
  if (!Number.isFinite(value)) throw new RangeError(`${value} cannot be part of SQL`);
  return { code: Number.isInteger(value) ? BigInt(value).toString() : `CAST('${value}' AS DOUBLE)` };
}

/** Pieces with something between them; `empty` when there are none. */
export function joined(pieces: readonly Sql[], between: string, empty = ""): Sql {
  return { code: pieces.length === 0 ? empty : pieces.map(({ code }) => code).join(between) };
}

/** A type as DuckDB itself named it, or one of this program's. */
export function typeName(type: string): Sql {
  if (!/^[A-Z][A-Z0-9_ ]*(\(\d+,\d+\))?$/.test(type)) throw new RangeError(`${type} is no plain type`);
  return { code: type };
}
