/** Histograms and tables as the files that they are kept in. */
import { invalidField, limitExceeded } from "../errors.ts";
import {
  MAX_HISTOGRAM_BINS,
  MAX_MEDIA_BYTES,
  MAX_TABLE_COLUMNS,
  MAX_TABLE_ROWS,
  MAX_TEXT_KEY_LENGTH,
} from "../limits.ts";

/** Counts of values by range; there is one edge more than there are counts. */
export interface Histogram {
  readonly edges: readonly number[];
  readonly counts: readonly number[];
  /** Values that are NaN or infinite. */
  readonly notFiniteCount: number;
}

export type Cell = string | number | boolean | null;

/** Rows with a cell for each column. */
export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** What a JSON file holds that was logged as media. */
export type MediaContent =
  | { readonly kind: "histogram"; readonly histogram: Histogram }
  | { readonly kind: "table"; readonly table: Table };

const HISTOGRAM_FORMAT = "trainyard/histogram/1";
const TABLE_FORMAT = "trainyard/table/1";

export function encodeHistogram({ edges, counts, notFiniteCount }: Histogram): Uint8Array {
  return encoded("histogram", { format: HISTOGRAM_FORMAT, edges, counts, notFiniteCount });
}

export function encodeTable({ columns, rows }: Table): Uint8Array {
  return encoded("table", { format: TABLE_FORMAT, columns, rows });
}

/** What parsed JSON holds; `undefined` for JSON that was not logged as media, or is none that could have been. */
export function readMediaContent(json: unknown): MediaContent | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const { format, ...content } = json as Readonly<Record<string, unknown>>; // An object's values are unknown until asserted.
  try {
    if (format === HISTOGRAM_FORMAT) {
      const histogram = content as unknown as Histogram; // Asserted next.
      assertHistogram(histogram);
      return { kind: "histogram", histogram };
    }
    if (format === TABLE_FORMAT) {
      const table = content as unknown as Table; // Asserted next.
      assertTable(table);
      return { kind: "table", table };
    }
  } catch {
    return undefined; // It is JSON like any other, and shown as such.
  }
  return undefined;
}

/** Throws MEDIA_INVALID or LIMIT_EXCEEDED. */
export function assertHistogram({ edges, counts, notFiniteCount }: Histogram): void {
  if (counts.length > MAX_HISTOGRAM_BINS) {
    throw limitExceeded(
      "histogram.counts",
      "MAX_HISTOGRAM_BINS",
      MAX_HISTOGRAM_BINS,
      counts.length,
      "ranges",
    );
  }
  if (counts.length === 0 || edges.length !== counts.length + 1) {
    throw invalid("histogram.edges", "expected at least one range, and one edge more than there are counts");
  }
  const rising = edges.every(
    (edge, n) => Number.isFinite(edge) && (n === 0 || edge > (edges[n - 1] ?? edge)),
  );
  if (!rising) throw invalid("histogram.edges", "expected finite numbers that rise");
  if (![...counts, notFiniteCount].every((count) => Number.isSafeInteger(count) && count >= 0)) {
    throw invalid("histogram.counts", "expected whole numbers of at least 0");
  }
}

/** Throws MEDIA_INVALID or LIMIT_EXCEEDED. */
export function assertTable({ columns, rows }: Table): void {
  if (columns.length > MAX_TABLE_COLUMNS) {
    throw limitExceeded("table.columns", "MAX_TABLE_COLUMNS", MAX_TABLE_COLUMNS, columns.length, "columns");
  }
  if (rows.length > MAX_TABLE_ROWS) {
    throw limitExceeded("table.rows", "MAX_TABLE_ROWS", MAX_TABLE_ROWS, rows.length, "rows");
  }
  const named = columns.every((name) => name.length >= 1 && name.length <= MAX_TEXT_KEY_LENGTH);
  if (columns.length === 0 || !named || new Set(columns).size !== columns.length) {
    throw invalid(
      "table.columns",
      `expected 1 to ${MAX_TABLE_COLUMNS} different names of 1 to ${MAX_TEXT_KEY_LENGTH} characters`,
    );
  }
  const wrong = rows.findIndex((row) => row.length !== columns.length || !row.every(isCell));
  if (wrong !== -1) {
    throw invalid(
      `table.rows[${wrong}]`,
      `expected ${columns.length} cells, each a text, a number, a truth value or null`,
    );
  }
}

/** Throws LIMIT_EXCEEDED. */
export function assertMediaSize(field: string, bytes: number): void {
  if (bytes > MAX_MEDIA_BYTES) throw limitExceeded(field, "MAX_MEDIA_BYTES", MAX_MEDIA_BYTES, bytes, "bytes");
}

function isCell(cell: unknown): cell is Cell {
  return cell === null || ["string", "number", "boolean"].includes(typeof cell);
}

function encoded(field: string, content: unknown): Uint8Array {
  const bytes = Buffer.from(JSON.stringify(content));
  assertMediaSize(field, bytes.length);
  return bytes;
}

function invalid(field: string, description: string) {
  return invalidField(field, description, "MEDIA_INVALID");
}
