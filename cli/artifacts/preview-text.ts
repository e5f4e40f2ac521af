import type { ListValue } from "@bufbuild/protobuf/wkt";
import type { tracking } from "@trainyard/contracts";
import { renderTable } from "../terminal/table.ts";
import { safeText } from "../terminal/text.ts";

const BAR_WIDTH = 40;
const HEX_WIDTH = 32;

/** What a file shows of itself, for a person. */
export function previewText({ content }: tracking.PreviewArtifactResponse): string {
  switch (content.case) {
    case "text":
    case "json":
      return safeText(content.value);
    case "image": {
      const { format, width, height } = content.value;
      return `a ${format} of ${width} × ${height} pixels`;
    }
    case "table":
      return tableText(content.value);
    case "histogram":
      return histogramText(content.value);
    case "binary":
      return hexText(content.value);
    default:
      return "";
  }
}

/** One range a line, with a bar as long as its count. */
export function histogramText({ edges, counts, notFiniteCount }: tracking.Histogram): string {
  const most = Math.max(1, ...counts.map(Number));
  const lines = counts.map((count, n) => {
    const range = `${shortNumber(edges[n] ?? 0)} … ${shortNumber(edges[n + 1] ?? 0)}`;
    return `${range.padStart(25)}  ${"█".repeat(Math.round((Number(count) / most) * BAR_WIDTH))} ${count}`;
  });
  const rest = notFiniteCount === 0n ? [] : [`${notFiniteCount} in no range (NaN, infinite, or outside)`];
  return [...lines, ...rest].join("\n");
}

function tableText({ columns, rows }: tracking.Table): string {
  const cell = (row: ListValue, n: number) => {
    const { kind } = row.values[n] ?? {};
    return kind === undefined || kind.case === undefined || kind.case === "nullValue"
      ? ""
      : String(kind.value);
  };
  return renderTable(
    columns.map((title, n) => ({ title: safeText(title), cell: (row: ListValue) => cell(row, n) })),
    rows,
  );
}

function hexText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString("hex");
  return (hex.match(new RegExp(`.{1,${HEX_WIDTH * 2}}`, "gu")) ?? [])
    .map((line) => line.replaceAll(/(..)/gu, "$1 ").trimEnd())
    .join("\n");
}

function shortNumber(value: number): string {
  return String(Number(value.toPrecision(4)));
}
