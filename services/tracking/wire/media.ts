import { create } from "@bufbuild/protobuf";
import { type ListValue, ListValueSchema, type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import { tracking } from "@trainyard/contracts";
import { invalidField } from "../domain/errors.ts";
import { imageExtensions, imageFacts } from "../domain/media/image-facts.ts";
import {
  assertHistogram,
  assertMediaSize,
  assertTable,
  type Cell,
  encodeHistogram,
  encodeTable,
  type Histogram,
  type Table,
} from "../domain/media/media-content.ts";
import { assertMediaPlace, type MediaKind, type MediaPlace } from "../domain/media/media-path.ts";
import type { Artifact } from "../domain/run-record.ts";
import { artifactToProto } from "./checkpoint-to-proto.ts";

const { MediaKind: Kind } = tracking;

const kindsToProto: Readonly<Record<MediaKind, tracking.MediaKind>> = {
  histogram: Kind.HISTOGRAM,
  image: Kind.IMAGE,
  table: Kind.TABLE,
};

/** `undefined` for any kind. */
export function mediaKindFromProto(kind: tracking.MediaKind): MediaKind | undefined {
  return (Object.keys(kindsToProto) as MediaKind[]).find((each) => kindsToProto[each] === kind); // Its own keys.
}

/** A file to be kept, and where. */
export interface MediaFile {
  readonly place: MediaPlace;
  readonly extension: string;
  readonly bytes: Uint8Array;
}

/** Throws MEDIA_INVALID or LIMIT_EXCEEDED. */
export function mediaFromProto({ key, step, rank, content }: tracking.LogMediaRequest): MediaFile {
  const at = { key, step: Number(step), rank };
  const file = fileOf(content);
  const place = { kind: file.kind, ...at };
  assertMediaPlace(place);
  return { place, extension: file.extension, bytes: file.bytes };
}

function fileOf(content: tracking.LogMediaRequest["content"]): {
  readonly kind: MediaKind;
  readonly extension: string;
  readonly bytes: Uint8Array;
} {
  switch (content.case) {
    case "histogram": {
      const histogram = histogramFromProto(content.value);
      assertHistogram(histogram);
      return { kind: "histogram", extension: "json", bytes: encodeHistogram(histogram) };
    }
    case "table": {
      const table = tableFromProto(content.value);
      assertTable(table);
      return { kind: "table", extension: "json", bytes: encodeTable(table) };
    }
    case "image": {
      assertMediaSize("image", content.value.length);
      const facts = imageFacts(content.value);
      if (facts === undefined) {
        throw invalidField("image", "expected a PNG, JPEG, GIF or WebP", "MEDIA_INVALID");
      }
      return { kind: "image", extension: imageExtensions[facts.format], bytes: content.value };
    }
    default:
      throw invalidField("content", "expected a histogram, an image or a table", "MEDIA_INVALID");
  }
}

export function mediaToProto({ kind, key, step, rank }: MediaPlace, artifact: Artifact): tracking.Media {
  return create(tracking.MediaSchema, {
    kind: kindsToProto[kind],
    key,
    step: BigInt(step),
    rank,
    artifact: artifactToProto(artifact),
  });
}

export function histogramToProto({ edges, counts, notFiniteCount }: Histogram): tracking.Histogram {
  return create(tracking.HistogramSchema, {
    edges: [...edges],
    counts: counts.map(BigInt),
    notFiniteCount: BigInt(notFiniteCount),
  });
}

export function tableToProto({ columns, rows }: Table): tracking.Table {
  const values = rows.map((row) => create(ListValueSchema, { values: row.map(cellToProto) }));
  return create(tracking.TableSchema, { columns: [...columns], rows: values });
}

function histogramFromProto({ edges, counts, notFiniteCount }: tracking.Histogram): Histogram {
  return { edges, counts: counts.map(Number), notFiniteCount: Number(notFiniteCount) };
}

function tableFromProto({ columns, rows }: tracking.Table): Table {
  return { columns, rows: rows.map(rowFromProto) };
}

function rowFromProto({ values }: ListValue, index: number): Cell[] {
  return values.map(({ kind }) => {
    if (kind.case === "structValue" || kind.case === "listValue") {
      throw invalidField(
        `table.rows[${index}]`,
        "expected a text, a number, a truth value or null in each cell",
        "MEDIA_INVALID",
      );
    }
    if (kind.case === undefined || kind.case === "nullValue") return null;
    return typeof kind.value === "number" && !Number.isFinite(kind.value) ? null : kind.value;
  });
}

function cellToProto(cell: Cell): Value {
  if (typeof cell === "string") return create(ValueSchema, { kind: { case: "stringValue", value: cell } });
  if (typeof cell === "number") return create(ValueSchema, { kind: { case: "numberValue", value: cell } });
  if (typeof cell === "boolean") return create(ValueSchema, { kind: { case: "boolValue", value: cell } });
  return create(ValueSchema, { kind: { case: "nullValue", value: 0 } });
}
