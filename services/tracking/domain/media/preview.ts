/** What a file shows of itself, by its name and its first bytes. Nothing that a file holds can make this fail. */
import { MAX_PREVIEW_BINARY_BYTES, MAX_PREVIEW_ROWS, MAX_PREVIEW_TEXT_BYTES } from "../limits.ts";
import { readDelimited } from "./delimited.ts";
import { type ImageFacts, imageFacts } from "./image-facts.ts";
import { type Cell, type Histogram, readMediaContent, type Table } from "./media-content.ts";

export type Preview = { readonly truncated: boolean } & (
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "json"; readonly text: string }
  | { readonly kind: "image"; readonly facts: ImageFacts; readonly data: Uint8Array }
  | { readonly kind: "table"; readonly table: Table }
  | { readonly kind: "histogram"; readonly histogram: Histogram }
  | { readonly kind: "binary"; readonly data: Uint8Array }
);

/** Levels of JSON that are read, and characters of it that are indented: each level adds to every line below it. */
const MAX_DEPTH = 32;
const MAX_INDENTED_LENGTH = 262_144;

/** `bytes` are the file, or its beginning when it is not `whole`. */
export function previewOf(path: string, bytes: Uint8Array, whole: boolean): Preview {
  const image = imageFacts(bytes);
  if (image !== undefined) {
    return { kind: "image", facts: image, data: whole ? bytes : new Uint8Array(), truncated: !whole };
  }
  const text = textOf(bytes, whole);
  if (text === undefined) {
    const data = bytes.subarray(0, MAX_PREVIEW_BINARY_BYTES);
    return { kind: "binary", data, truncated: !whole || data.length < bytes.length };
  }
  switch (/\.(csv|tsv|jsonl|ndjson|json)$/iu.exec(path)?.[1]?.toLowerCase()) {
    case "csv":
      return delimited(text, ",", whole) ?? plain(text, whole);
    case "tsv":
      return delimited(text, "\t", whole) ?? plain(text, whole);
    case "jsonl":
    case "ndjson":
      return lines(text, whole) ?? plain(text, whole);
    case "json":
      return (whole ? json(text) : undefined) ?? plain(text, whole);
    default:
      return plain(text, whole);
  }
}

/** The bytes as text; `undefined` when they are none. A character that is cut off at the end is left out. */
function textOf(bytes: Uint8Array, whole: boolean): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: !whole });
  } catch {
    return undefined;
  }
}

function plain(text: string, whole: boolean): Preview {
  const bytes = Buffer.from(text);
  if (bytes.length <= MAX_PREVIEW_TEXT_BYTES) return { kind: "text", text, truncated: !whole };
  const shown = new TextDecoder().decode(bytes.subarray(0, MAX_PREVIEW_TEXT_BYTES), { stream: true });
  return { kind: "text", text: shown, truncated: true };
}

function json(text: string): Preview | undefined {
  const value = parsed(text);
  if (value === undefined) return undefined;
  const media = readMediaContent(value);
  if (media?.kind === "histogram") return { ...media, truncated: false };
  if (media?.kind === "table") return cut(media.table, true);
  const shown = plain(text.length > MAX_INDENTED_LENGTH ? text : JSON.stringify(value, null, 2), true);
  return shown.kind === "text" ? { ...shown, kind: "json" } : undefined;
}

function delimited(text: string, separator: "," | "\t", whole: boolean): Preview | undefined {
  const [columns, ...rows] = readDelimited(text, separator, { limit: MAX_PREVIEW_ROWS + 2, whole });
  if (columns === undefined) return undefined;
  // Of ragged rows what is missing is empty, and what is too much is left out.
  return cut({ columns, rows: rows.map((row) => columns.map((_, n) => row[n] ?? null)) }, whole);
}

/** Objects, one a line; their keys are the columns. */
function lines(text: string, whole: boolean): Preview | undefined {
  const all = text.split("\n").filter((line) => line.trim() !== "");
  const read = (whole ? all : all.slice(0, -1)).slice(0, MAX_PREVIEW_ROWS + 1).map(parsed);
  const objects = read.filter(
    (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  );
  if (objects.length === 0 || objects.length < read.length) return undefined;
  const records = objects as Readonly<Record<string, unknown>>[]; // Objects that are no arrays.
  const columns = [...new Set(records.flatMap((record) => Object.keys(record)))];
  return cut({ columns, rows: records.map((record) => columns.map((name) => cellOf(record[name]))) }, whole);
}

function cut({ columns, rows }: Table, whole: boolean): Preview {
  const shown = rows.slice(0, MAX_PREVIEW_ROWS);
  return { kind: "table", table: { columns, rows: shown }, truncated: !whole || shown.length < rows.length };
}

function cellOf(value: unknown): Cell {
  if (value === undefined || value === null) return null;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  return JSON.stringify(value);
}

/** `undefined` also for what is nested so deeply that writing it out again would not end well. */
function parsed(text: string): unknown {
  try {
    return isDeep(text) ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isDeep(text: string): boolean {
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/gsu)) {
    if (token === "[" || token === "{") depth++;
    else if (token === "]" || token === "}") depth--;
    if (depth > MAX_DEPTH) return true;
  }
  return false;
}
