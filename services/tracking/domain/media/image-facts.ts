/** What the first bytes of a picture tell about it (PNG, JPEG, GIF, WebP), as their formats lay them down. */

/** What a picture is. */
export interface ImageFacts {
  readonly format: "png" | "jpeg" | "gif" | "webp";
  /** Pixels; 0 when the bytes at hand do not tell. */
  readonly width: number;
  readonly height: number;
}

/** The usual end of such a file's name. */
export const imageExtensions = { png: "png", jpeg: "jpg", gif: "gif", webp: "webp" } as const;

/** The facts of a picture; `undefined` for anything else. */
export function imageFacts(bytes: Uint8Array): ImageFacts | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = (start: number, end: number) => view.toString("latin1", start, end);
  if (text(0, 8) === "\x89PNG\r\n\x1a\n")
    return sized("png", view, 24, () => [view.readUInt32BE(16), view.readUInt32BE(20)]);
  if (text(0, 6) === "GIF87a" || text(0, 6) === "GIF89a") {
    return sized("gif", view, 10, () => [view.readUInt16LE(6), view.readUInt16LE(8)]);
  }
  if (text(0, 4) === "RIFF" && text(8, 12) === "WEBP")
    return sized("webp", view, 30, () => webpSize(view, text(12, 16)));
  if (text(0, 3) === "\xff\xd8\xff") return sized("jpeg", view, 4, () => jpegSize(view));
  return undefined;
}

type Size = readonly [width: number, height: number];

function sized(format: ImageFacts["format"], view: Buffer, needed: number, size: () => Size): ImageFacts {
  const [width, height] = view.length < needed ? [0, 0] : size();
  return { format, width, height };
}

/** Lossy, lossless and extended files say it at different places. */
function webpSize(view: Buffer, chunk: string): Size {
  if (chunk === "VP8 ") return [view.readUInt16LE(26) & 0x3fff, view.readUInt16LE(28) & 0x3fff];
  if (chunk === "VP8X") return [view.readUIntLE(24, 3) + 1, view.readUIntLE(27, 3) + 1];
  if (chunk !== "VP8L") return [0, 0];
  const bits = view.readUInt32LE(21);
  return [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1];
}

/** The size stands in the first frame header: a marker C0 to CF that is no table. */
function jpegSize(view: Buffer): Size {
  for (let at = 2; at + 9 <= view.length && view[at] === 0xff; ) {
    const marker = view[at + 1] ?? 0;
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return [view.readUInt16BE(at + 7), view.readUInt16BE(at + 5)];
    }
    at += 2 + view.readUInt16BE(at + 2);
  }
  return [0, 0];
}
