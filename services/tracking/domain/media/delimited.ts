/** Rows of comma- or tab-separated text (RFC 4180): quoted fields may hold separators, line ends and doubled quotes. */

/** At most so many rows. A last row that is cut off is left out unless `whole` says that nothing is missing. */
export function readDelimited(
  text: string,
  separator: "," | "\t",
  { limit, whole }: { readonly limit: number; readonly whole: boolean },
): readonly (readonly string[])[] {
  const rows: string[][] = [];
  let row: string[] = [];
  let field = "";
  let quoted = false;
  const endField = () => {
    row.push(field);
    field = "";
  };
  const endRow = () => {
    endField();
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  };
  for (let at = 0; at < text.length && rows.length < limit; at++) {
    const character = text[at] ?? "";
    if (quoted) {
      if (character !== '"') field += character;
      else if (text[at + 1] === '"') {
        field += '"';
        at += 1;
      } else quoted = false;
    } else if (character === '"' && field === "") quoted = true;
    else if (character === separator) endField();
    else if (character === "\n") endRow();
    else if (character !== "\r" || text[at + 1] !== "\n") field += character;
  }
  if (whole && rows.length < limit && (field !== "" || row.length > 0)) endRow();
  return rows;
}
