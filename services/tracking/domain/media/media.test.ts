import { describe, expect, it } from "vitest";
import { readDelimited } from "./delimited.ts";
import { imageFacts } from "./image-facts.ts";
import { encodeHistogram, encodeTable } from "./media-content.ts";
import { mediaPath, parseMediaPath } from "./media-path.ts";
import { previewOf } from "./preview.ts";

const bytes = (text: string) => Buffer.from(text);
const png = Buffer.concat([
  Buffer.from("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "latin1"),
  Buffer.from([0, 0, 2, 128, 0, 0, 1, 224, 8, 2, 0, 0, 0]),
]);

describe("the path of a histogram, image or table", () => {
  it("tells its kind, key, step and rank again", () => {
    const place = { kind: "image", key: "val/worst cases", step: 1200, rank: 3 } as const;
    const path = mediaPath(place, "png");
    expect(path).toBe("media/images/val/worst cases/0000000000001200-rank-3.png");
    expect(parseMediaPath(path)).toEqual(place);
    expect(parseMediaPath(mediaPath({ ...place, rank: 0, step: 0 }, "png"))).toEqual({
      ...place,
      rank: 0,
      step: 0,
    });
  });

  it.each([
    "media/images/a/12.png",
    "media/images/a/0000000000001200.json",
    "media/tables/a/0000000000001200.png",
    "media/videos/a/0000000000001200.png",
    "media/images/a/0000000000001200-rank-0.png",
    "media/images/a/0000000000001200-rank-9999.png",
    "media/images/a/9999999999999999.png",
    "media/images/0000000000001200.png",
    "x/media/images/a/0000000000001200.png",
  ])("is not %s", (path) => {
    expect(parseMediaPath(path)).toBeUndefined();
  });
});

describe("a preview", () => {
  const of = (path: string, content: Uint8Array | string, whole = true) =>
    previewOf(path, typeof content === "string" ? bytes(content) : content, whole);

  it.each<[string, string, Uint8Array | string, object]>([
    ["text", "a.log", "hello\n", { kind: "text", text: "hello\n", truncated: false }],
    ["JSON, indented", "a.json", '{"a":[1]}', { kind: "json", text: '{\n  "a": [\n    1\n  ]\n}' }],
    ["what is no JSON as text", "a.json", "{oops", { kind: "text", text: "{oops" }],
    ["JSON nested too deeply as text", "a.json", "[".repeat(100) + "]".repeat(100), { kind: "text" }],
    ["brackets in texts as JSON", "a.json", `["${"[".repeat(100)}"]`, { kind: "json" }],
    [
      "a picture by its content, whatever its name",
      "a.txt",
      png,
      { kind: "image", facts: { format: "png", width: 640, height: 480 } },
    ],
    [
      "anything else by its first bytes",
      "a.bin",
      new Uint8Array(1000),
      { kind: "binary", truncated: true, data: new Uint8Array(256) },
    ],
    [
      "a table",
      "a.csv",
      'x,y\r\n1,"a,\n""b"""\r\n2\n',
      {
        kind: "table",
        table: {
          columns: ["x", "y"],
          rows: [
            ["1", 'a,\n"b"'],
            ["2", null],
          ],
        },
        truncated: false,
      },
    ],
    [
      "objects of lines",
      "a.jsonl",
      '{"a":1}\n{"b":[2],"a":null}\n',
      {
        kind: "table",
        table: {
          columns: ["a", "b"],
          rows: [
            [1, null],
            [null, "[2]"],
          ],
        },
      },
    ],
    [
      "a logged table",
      "media/tables/t/0000000000000001.json",
      encodeTable({ columns: ["a"], rows: [["b"]] }),
      { kind: "table", table: { columns: ["a"], rows: [["b"]] } },
    ],
    [
      "a logged histogram",
      "h.json",
      encodeHistogram({ edges: [0, 1], counts: [3], notFiniteCount: 1 }),
      { kind: "histogram", histogram: { edges: [0, 1], counts: [3], notFiniteCount: 1 } },
    ],
    [
      "what only says that it is a histogram as JSON",
      "h.json",
      '{"format":"trainyard/histogram/1","edges":[1],"counts":[]}',
      { kind: "json" },
    ],
  ])("shows %s", (_, path, content, expected) => {
    expect(of(path, content)).toMatchObject(expected);
  });

  it("of the beginning of a file shows what is whole of it", () => {
    expect(of("a.csv", "x\n1\n2", false)).toMatchObject({ table: { rows: [["1"]] }, truncated: true });
    expect(of("a.jsonl", '{"a":1}\n{"a":', false)).toMatchObject({ table: { rows: [[1]] }, truncated: true });
    expect(of("a.txt", bytes("ü").subarray(0, 1), false)).toMatchObject({ kind: "text", text: "" });
    expect(of("a.json", '{"a":', false)).toMatchObject({ kind: "text", truncated: true });
    expect(of("a.png", png, false)).toMatchObject({ kind: "image", data: new Uint8Array(), truncated: true });
  });

  it("shows no more rows and text than it may", () => {
    const rows = Array.from({ length: 300 }, (_, n) => String(n)).join("\n");
    const table = of("a.csv", `n\n${rows}`);
    expect(table).toMatchObject({ truncated: true });
    expect(table.kind === "table" && table.table.rows.length).toBe(100);
    expect(of("a.txt", "ü".repeat(40_000))).toMatchObject({ text: "ü".repeat(32_768), truncated: true });
  });
});

describe("a picture", () => {
  const jpeg = [0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc0, 0, 11, 8, 0, 5, 0, 7, 3, 0, 0, 0];
  const webp = Buffer.concat([
    bytes("RIFF....WEBPVP8X"),
    Buffer.from([10, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 4, 0, 0]),
  ]);
  it.each([
    ["JPEG", Buffer.from(jpeg), { format: "jpeg", width: 7, height: 5 }],
    ["cut off JPEG", Buffer.from(jpeg.slice(0, 10)), { format: "jpeg", width: 0, height: 0 }],
    [
      "GIF",
      Buffer.concat([bytes("GIF89a"), Buffer.from([7, 0, 5, 0])]),
      { format: "gif", width: 7, height: 5 },
    ],
    ["WebP", webp, { format: "webp", width: 7, height: 5 }],
    ["cut off PNG", png.subarray(0, 12), { format: "png", width: 0, height: 0 }],
  ])("tells its size: %s", (_, content, facts) => {
    expect(imageFacts(content)).toEqual(facts);
  });
});

describe("comma-separated text", () => {
  it("is read to the limit, without empty lines", () => {
    const read = (text: string, limit = 10) => readDelimited(text, ",", { limit, whole: true });
    expect(read("a,b\n\n,\nc", 10)).toEqual([["a", "b"], ["", ""], ["c"]]);
    expect(read("a\nb\nc", 2)).toEqual([["a"], ["b"]]);
    expect(read('"open', 2)).toEqual([["open"]]);
  });
});
