import { style } from "./style.ts";
import { padText, safeText, textWidth } from "./text.ts";

/** A column of a table: its title, and how a row fills it. */
export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
  /** Colours the padded cell on a terminal. */
  readonly paint?: (text: string, row: Row) => string;
}

/** Rows in aligned columns below dim titles: for a terminal. */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map(({ cell }) => oneLine(cell(row))));
  const widths = columns.map(({ title }, index) =>
    Math.max(textWidth(title), ...cells.map((line) => textWidth(line[index] ?? ""))),
  );
  const join = (line: readonly string[]) => line.join("  ").trimEnd();
  const head = columns.map(({ title }, index) => style.dim(padText(title, widths[index] ?? 0)));
  const body = rows.map((row, at) =>
    join(
      columns.map(({ paint }, index) => {
        const padded = padText(cells[at]?.[index] ?? "", widths[index] ?? 0);
        return paint === undefined ? padded : paint(padded, row);
      }),
    ),
  );
  return [join(head), ...body].join("\n");
}

/** The same rows for programs: a line per row, fields separated by tabs, no titles, no colours. */
export function renderTsv<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  return rows
    .map((row) => columns.map(({ cell }) => oneLine(cell(row)).replaceAll("\t", " ")).join("\t"))
    .join("\n");
}

function oneLine(text: string): string {
  return safeText(text).replaceAll("\n", " ");
}
