import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { tempDir } from "@trainyard/testing";
import { create, Header } from "tar";
import { describe, expect, it } from "vitest";
import { unpackBundle } from "./unpack-bundle.ts";

const limits = { entries: 4, bytes: 100_000 };

function header(path: string, size: number): Buffer {
  const made = new Header({ path, type: "File", size, mode: 0o600 });
  made.encode();
  return made.block ?? Buffer.alloc(512);
}

async function unpack(packed: Buffer): Promise<{ readonly folder: string; readonly around: string }> {
  const around = tempDir("unpack");
  const bundle = join(tempDir("unpack"), "code.tgz");
  writeFileSync(bundle, packed);
  const folder = join(around, "code");
  try {
    await unpackBundle(bundle, folder, limits);
  } catch (error) {
    // Whatever is refused leaves nothing.
    expect(readdirSync(around)).toEqual([]);
    throw error;
  }
  return { folder, around };
}

describe("unpacking a code bundle", () => {
  it("places its files, and nothing beside them", async () => {
    const source = tempDir("unpack");
    writeFileSync(join(source, "train.py"), "print(1)");
    const file = join(tempDir("unpack"), "code.tgz");
    await create({ file, cwd: source, gzip: true }, ["train.py"]);
    const { folder, around } = await unpack(readFileSync(file));
    expect(readFileSync(join(folder, "train.py"), "utf8")).toBe("print(1)");
    expect(readdirSync(around)).toEqual(["code"]);
  });

  it("stops a bomb at the cap, although its header claims to be small", async () => {
    const bomb = gzipSync(Buffer.concat([header("zeros", 10), Buffer.alloc(50_000_000)]));
    expect(bomb.length).toBeLessThan(limits.bytes);
    await expect(unpack(bomb)).rejects.toThrow("unpacks to more than 100000 bytes");
  });

  it("refuses more entries, or more bytes by its headers, than allowed", async () => {
    const many = Array.from({ length: 6 }, (_, index) => header(`f${index}`, 0));
    await expect(unpack(gzipSync(Buffer.concat([...many, Buffer.alloc(1024)])))).rejects.toThrow(
      "more than 4 entries",
    );
    const large = Buffer.concat([header("large", 101_000), Buffer.alloc(101_376), Buffer.alloc(1024)]);
    await expect(unpack(gzipSync(large))).rejects.toThrow("unpacks to more than 100000 bytes");
  });

  it("refuses what is no tar, and what climbs out", async () => {
    await expect(unpack(gzipSync(Buffer.alloc(2048, "x")))).rejects.toThrow("no sound tar");
    const above = `../climbed-${randomUUID()}`;
    const climbing = gzipSync(Buffer.concat([header(above, 0), Buffer.alloc(1024)]));
    await expect(unpack(climbing)).rejects.toThrow(above);
    expect(existsSync(join(tempDir(), above))).toBe(false);
  });
});
