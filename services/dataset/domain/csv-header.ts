/**
 * The names in the first record of a CSV text (RFC 4180: quotes double inside quotes, and may hold commas and line ends).
 * Undefined when the record does not end within the text, or a quote stands where none may; `isWhole` says that the text
 * is the whole file, whose last record needs no line end.
 */
export function csvHeader(text: string, isWhole: boolean): readonly string[] | undefined {
  const names: string[] = [];
  let at = text.startsWith("\ufeff") ? 1 : 0;
  for (;;) {
    const field = text[at] === '"' ? quotedField(text, at) : plainField(text, at);
    if (field === undefined) return undefined;
    names.push(field.name);
    at = field.end;
    const after = text[at];
    if (after === undefined) return isWhole ? names : undefined;
    if (after === "\n" || after === "\r") return names;
    if (after !== ",") return undefined;
    at++;
  }
}

interface Field {
  readonly name: string;
  /** Where the character after it stands. */
  readonly end: number;
}

function plainField(text: string, from: number): Field {
  let end = from;
  while (end < text.length && !",\n\r".includes(text[end] ?? "")) end++;
  return { name: text.slice(from, end), end };
}

function quotedField(text: string, from: number): Field | undefined {
  let end = from;
  do {
    end = text.indexOf('"', end + 1);
    if (end < 0) return undefined;
    if (text[end + 1] !== '"') break;
    end++;
  } while (end < text.length);
  return { name: text.slice(from + 1, end).replaceAll('""', '"'), end: end + 1 };
}
