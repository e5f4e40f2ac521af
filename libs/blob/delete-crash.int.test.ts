import { pathToFileURL } from "node:url";
import { spawnScript, tempDir, testS3 } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "./digest.ts";
import { openBlobStore } from "./open-blob-store.ts";

let urls: Readonly<Record<string, (name: string) => string>>;
let env: Readonly<Record<string, string>>;
const bytes = Buffer.from("deleted half way");
const digest = digestOf(bytes);

beforeAll(async () => {
  const s3 = await testS3();
  env = s3.env;
  urls = { "a folder": (name) => pathToFileURL(tempDir(name)).href, S3: (name) => s3.url(name) };
});

/** Has another process delete the blob, and die at a crash point. */
async function dieDeleting(url: string, at: string): Promise<void> {
  const child = await spawnScript("deleter", {
    script: "libs/blob/test-deleter.ts",
    args: [url, digest],
    env: { ...env, TRAINYARD_CRASH_AT: at },
  });
  expect(await child.exited).toBe("SIGKILL");
}

describe.each(["a folder", "S3"])("a deletion in %s", (kind) => {
  it("that died after its mark has taken nothing from anybody, and can be done again", async () => {
    const url = urls[kind]?.("marked") ?? "";
    const store = openBlobStore(url);
    await store.put(bytes);
    await dieDeleting(url, "blob.delete.marked");
    expect(await store.stat(digest)).toEqual({ sizeBytes: bytes.length });
    await store.delete(digest);
    expect(await store.stat(digest)).toBeUndefined();
  });

  it("that died after it is done, and its blob can be stored again", async () => {
    const url = urls[kind]?.("deleted") ?? "";
    const store = openBlobStore(url);
    await store.put(bytes);
    await dieDeleting(url, "blob.delete.deleted");
    expect(await store.stat(digest)).toBeUndefined();
    await store.tidy();
    await store.put(bytes);
    expect(await store.stat(digest)).toBeDefined();
  });
});

describe("a deletion in a folder that died after its mark", () => {
  it.each([
    ["who pinned before it died keeps the blob", true],
    ["is finished by tidying when nobody pins", false],
  ])("%s", async (_what, isPinned) => {
    const url = urls["a folder"]?.("tidied") ?? "";
    const store = openBlobStore(url);
    await store.put(bytes);
    await dieDeleting(url, "blob.delete.marked");
    if (isPinned) await store.pin(digest, { holder: "run:default:1", ttlMs: 60_000 });
    await store.tidy();
    expect((await store.stat(digest)) !== undefined).toBe(isPinned);
  });
});
