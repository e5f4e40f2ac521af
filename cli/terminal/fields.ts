import { style } from "./style.ts";
import { safeText } from "./text.ts";

/** Names and values below each other; what has no value is left out. */
export function fields(rows: readonly (readonly [string, string])[]): string {
  const shown = rows.filter(([, value]) => value !== "");
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown
    .map(
      ([name, value]) =>
        `  ${style.dim(name.padEnd(width))}  ${safeText(value).replaceAll("\n", `\n${" ".repeat(width + 4)}`)}`,
    )
    .join("\n");
}
