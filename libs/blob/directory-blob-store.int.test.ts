import { mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { blobStoreContract } from "./blob-store-contract.ts";
import { writeTemp } from "./durable-file.ts";
import { openBlobStore } from "./open-blob-store.ts";

const folders: string[] = [];

afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "trainyard-blob-"));
  folders.push(folder);
  return folder;
}

blobStoreContract("a folder", async () => {
  let time = Date.now();
  const folder = await newFolder();
  const store = openBlobStore(pathToFileURL(folder).href, { now: () => time });
  const advance = (ms: number) => {
    time += ms;
  };
  const damage = (digest: string, bytes: Uint8Array) =>
    writeFile(join(folder, "sha256", digest.slice(0, 2), digest.slice(2, 4), digest), bytes);
  return { store, advance, damage };
});

describe("a folder as a blob store", () => {
  it("has no temporary file left after puts that failed and puts that worked", async () => {
    const folder = await newFolder();
    const store = openBlobStore(pathToFileURL(folder).href);
    await store.put(Buffer.from("x"), { pin: { holder: "h", ttlMs: 1_000 } });
    await store.put(Buffer.from("x"), { maxBytes: 0 }).catch(() => undefined);
    expect(await readdir(join(folder, "tmp"))).toEqual([]);
  });

  it("shows what another process has put, and pins survive reopening", async () => {
    const url = pathToFileURL(await newFolder()).href;
    const { digest } = await openBlobStore(url).put(Buffer.from("x"), {
      pin: { holder: "h", ttlMs: 60_000 },
    });
    expect(await openBlobStore(url).stat(digest)).toEqual({ sizeBytes: 1 });
    expect(await openBlobStore(url).pins(digest)).toEqual(["h"]);
  });

  it("sweeps a crashed writer's file when it is opened, and not one that is being written", async () => {
    const folder = await newFolder();
    const url = pathToFileURL(folder).href;
    openBlobStore(url);
    await writeFile(join(folder, "tmp", "orphan"), "half");
    await utimes(join(folder, "tmp", "orphan"), new Date(0), new Date(0));
    await writeFile(join(folder, "tmp", "young"), "half");
    openBlobStore(url);
    expect(await readdir(join(folder, "tmp"))).toEqual(["young"]);
  });

  it("says that the disk is full, and gives the half-written file's space back", async () => {
    // A source that fails as a write to a full disk does: the code under test sees the same error either way.
    async function* full(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("x");
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    }
    const folder = await newFolder();
    await expect(writeTemp(join(folder, "temp"), full())).rejects.toMatchObject({
      code: "resource_exhausted",
      reason: "BLOB_STORE_FULL",
    });
    expect(await readdir(folder)).toEqual([]);
  });
});

describe("a blob store's URL", () => {
  it.each([
    "",
    "/var/blobs",
    "file://host/x",
    "http://x",
    "s3://",
    "s3://B",
    "s3://bucket/a/../b%2f",
    "s3://key:secret@bucket",
    "s3://bucket?endpoint=127.0.0.1:9000",
    "s3://bucket?secret=x",
  ])("%j is refused with what is expected", (url) => {
    expect(() => openBlobStore(url)).toThrow(expect.objectContaining({ reason: "BLOB_URL_INVALID" }));
  });
});
