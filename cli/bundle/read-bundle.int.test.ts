import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { tempDir } from "@trainyard/testing";
import { Header } from "tar";
import { describe, expect, it } from "vitest";
import { headName, manifestName, maxLineBytes } from "./bundle-format.ts";
import { readPointsFile } from "./points-file.ts";
import { Bundle } from "./read-bundle.ts";
import { TarWriter } from "./tar-writer.ts";

const folder = tempDir("bundles");
const run = `run_${"0".repeat(26)}`;
const head = { format: "trainyard-bundle", version: 1, createdAt: "", experiments: [], runs: [] };
const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
let made = 0;

interface Part {
  readonly name: string;
  readonly content: string;
  readonly type?: "SymbolicLink" | "Link" | "Directory" | "ExtendedHeader" | "CharacterDevice";
  readonly linkpath?: string;
  readonly size?: number;
}

/** A tar of these parts, with a manifest of them unless told, as a hostile writer makes it. */
function tarOf(parts: readonly Part[], { manifest = true } = {}): string {
  const entries = parts.map(({ name, content }) => ({
    name,
    sizeBytes: Buffer.byteLength(content),
    sha256: sha(Buffer.from(content)),
  }));
  const last: Part = { name: manifestName, content: JSON.stringify({ entries }) };
  const blocks = (manifest ? [...parts, last] : parts).flatMap(({ name, content, type, linkpath, size }) => {
    const bytes = Buffer.from(content);
    const header = Buffer.alloc(512);
    new Header({
      path: name,
      mode: 0o644,
      size: size ?? bytes.length,
      type: type ?? "File",
      ...(linkpath === undefined ? {} : { linkpath }),
    }).encode(header);
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return fileOf(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}

function fileOf(bytes: Uint8Array): string {
  made += 1;
  const file = join(folder, `${made}.trainyard`);
  writeFileSync(file, bytes);
  return file;
}

const open = (file: string) => Bundle.open(file, new AbortController().signal);
const good: Part = { name: headName, content: JSON.stringify(head) };
const blob: Part = { name: `blobs/${sha(Buffer.from("x"))}`, content: "x" };

describe("a bundle", () => {
  it("that was written is read back, entry by entry, empty and large ones too", async () => {
    const file = join(folder, "good.trainyard");
    const large = Buffer.alloc(700_001, "ab");
    const tar = await TarWriter.create(file);
    await tar.addJson(headName, head);
    await tar.add(`blobs/${sha(Buffer.alloc(0))}`, 0, Readable.from([]));
    await tar.add(
      `blobs/${sha(large)}`,
      large.length,
      Readable.from([large.subarray(0, 9), large.subarray(9)]),
    );
    await tar.finish();
    await tar.close();
    const bundle = await open(file);
    expect(bundle.head).toEqual(head);
    expect(await bundle.bytes(`blobs/${sha(large)}`)).toEqual(large);
    expect(await bundle.bytes(`blobs/${sha(Buffer.alloc(0))}`)).toEqual(Buffer.alloc(0));
    await bundle.close();
    for (const cut of [600, 1024, 2048, 300_000])
      await expect(open(fileOf(readFileSync(file).subarray(0, -cut - 1024)))).rejects.toThrow("cut short");
  });

  it.each<[string, readonly Part[], RegExp]>([
    ["a link", [good, { ...blob, type: "SymbolicLink", linkpath: "/etc/passwd" }], /is a SymbolicLink/],
    ["a hard link", [good, { ...blob, type: "Link", linkpath: headName }], /is a Link/],
    ["a device", [good, { ...blob, type: "CharacterDevice" }], /is a CharacterDevice/],
    ["a folder", [good, { name: "blobs/", content: "", type: "Directory" }], /is a Directory/],
    [
      "a header of another dialect",
      [good, { name: "x", content: "y", type: "ExtendedHeader" }],
      /ExtendedHeader/,
    ],
    ["a name that climbs out", [good, { name: "../../etc/cron.d/x", content: "x" }], /has a name/],
    ["an absolute name", [good, { name: "/etc/passwd", content: "x" }], /has a name/],
    ["a name of its own", [good, { name: `runs/${run}/extra`, content: "x" }], /has a name/],
    ["an entry twice", [good, blob, blob], /twice/],
    ["content under another's digest", [good, { ...blob, content: "y" }], /was changed/],
    ["a size beyond the file", [good, { ...blob, size: 10_000_000 }], /cut short in blobs/],
    ["another beginning", [blob, good], /does not begin with/],
    ["another format", [{ name: headName, content: '{"format":"zip"}' }], /trainyard-bundle\.json/],
    ["no JSON where it must be", [{ name: headName, content: "{" }], /no JSON/],
  ])("with %s is refused", async (_what, parts, message) => {
    await expect(open(tarOf(parts))).rejects.toMatchObject({
      reason: "BUNDLE_INVALID",
      message: expect.stringMatching(message),
    });
  });

  it("without its manifest, or with one that tells something else, is refused", async () => {
    await expect(open(tarOf([good, blob], { manifest: false }))).rejects.toThrow("is missing at its end");
    const other = JSON.stringify({ entries: [{ name: headName, sizeBytes: 1, sha256: "0".repeat(64) }] });
    const told = [good, { name: manifestName, content: other }];
    await expect(open(tarOf(told, { manifest: false }))).rejects.toThrow("not what the manifest tells");
    const silent = [good, blob, { name: manifestName, content: '{"entries":[]}' }];
    await expect(open(tarOf(silent, { manifest: false }))).rejects.toThrow("its manifest tells of 0");
  });

  it("that is none is refused", async () => {
    await expect(open(fileOf(Buffer.alloc(0)))).rejects.toThrow("cut short");
    await expect(open(fileOf(Buffer.from("PK\u0003\u0004".repeat(1000))))).rejects.toThrow("no tar");
    await expect(open(join(folder, "none"))).rejects.toMatchObject({ reason: "BUNDLE_NOT_FOUND" });
  });
});

describe("the points of a bundle", () => {
  const read = async (bytes: Uint8Array) => {
    const found: unknown[] = [];
    for await (const point of readPointsFile(Readable.from([bytes]))) found.push(point);
    return found;
  };

  it("are every bit of what was written", async () => {
    const line = {
      key: "a b",
      rank: 0,
      attempt: 1,
      steps: [-1, 2],
      timesMs: [0.5, 1],
      values: ["-0", "NaN"],
    };
    expect(await read(gzipSync(`${JSON.stringify(line)}\n`))).toEqual([
      { key: "a b", step: -1n, timeMs: 0.5, value: -0 },
      { key: "a b", step: 2n, timeMs: 1, value: Number.NaN },
    ]);
  });

  it.each([
    ["no gzip", Buffer.from("x".repeat(100))],
    ["a line that is no JSON", gzipSync("{\n")],
    [
      "columns of different lengths",
      gzipSync('{"key":"k","rank":0,"attempt":0,"steps":[1],"timesMs":[],"values":[]}\n'),
    ],
    ["a line without an end", gzipSync(Buffer.alloc(maxLineBytes + 1, "a"))],
  ])("with %s are refused", async (_what, bytes) => {
    await expect(read(bytes)).rejects.toMatchObject({ reason: "BUNDLE_INVALID" });
  });
});
