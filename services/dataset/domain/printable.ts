/** Characters of a value that a message shows. */
const MAX_SHOWN = 80;

/** A value of an untrusted file as a person may see it: shortened, and without characters that a terminal would act on. */
export function printable(text: string | null, max = MAX_SHOWN): string {
  if (text === null) return "NULL";
  const points = [...text.slice(0, 2 * max + 2)];
  const shown = points.length > max ? `${points.slice(0, max).join("")}…` : points.join("");
  return shown
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`);
}

/** A list for a message: the first few, and how many more there are. */
export function printableList(items: readonly string[], max = 10): string {
  const shown = items.slice(0, max).map((item) => printable(item));
  return items.length > max ? `${shown.join(", ")} and ${items.length - max} more` : shown.join(", ");
}
