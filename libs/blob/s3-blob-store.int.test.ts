import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { type TestS3, testS3, waitFor } from "@trainyard/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { blobStoreContract } from "./blob-store-contract.ts";
import { openBlobStore } from "./open-blob-store.ts";

let s3: TestS3;
let stores = 0;

beforeAll(async () => {
  s3 = await testS3();
});

const digestOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const DAY_MS = 24 * 60 * 60_000;

blobStoreContract("S3", async () => {
  let time = Date.now();
  const prefix = `contract/${++stores}`;
  const store = openBlobStore(s3.url(prefix), { now: () => time });
  const advance = (ms: number) => {
    time += ms;
  };
  const damage = (digest: string, bytes: Uint8Array) =>
    writeFile(join(s3.folder, prefix, "sha256", digest.slice(0, 2), digest.slice(2, 4), digest), bytes);
  return { store, advance, damage };
});

describe("S3 as a blob store", () => {
  const bytes = Buffer.concat([Buffer.alloc(6 * 1024 ** 2, 3), Buffer.from("tail")]);
  const part = (partNumber: number, content: Uint8Array) => ({
    partNumber,
    sizeBytes: content.length,
    digest: digestOf(content),
  });

  it("takes parts straight from whoever has their URL, and only what the URL was made for", async () => {
    const store = openBlobStore(s3.url(`presigned-${++stores}`));
    const announced = { digest: digestOf(bytes), sizeBytes: bytes.length, owner: "user:ada" };
    const { uploadId } = await store.beginMultipart(announced);
    const [first, second] = [bytes.subarray(0, 6 * 1024 ** 2), bytes.subarray(6 * 1024 ** 2)];
    const send = async (number: number, content: Uint8Array, sent = content) => {
      const { url, headers } = (await store.presignPart(uploadId, part(number, content))) ?? {
        url: "",
        headers: {},
      };
      return (await fetch(url, { method: "PUT", headers, body: sent })).status;
    };
    expect(await send(1, first, Buffer.alloc(first.length, 9))).toBe(400);
    expect(await send(1, first, first.subarray(0, 100))).toBe(403);
    expect(await store.listParts(uploadId)).toEqual([]);
    expect(await send(1, first)).toBe(200);
    expect(await send(2, second)).toBe(200);
    expect(await store.completeMultipart(uploadId)).toMatchObject({ digest: announced.digest });
    expect(await buffer(await store.open(announced.digest))).toEqual(bytes);
  });

  it("takes nothing by a URL whose time is over", async () => {
    const store = openBlobStore(s3.url(`expired-${++stores}`), { presignedTtlMs: 1_000 });
    const { uploadId } = await store.beginMultipart();
    const presigned = await store.presignPart(uploadId, part(1, bytes));
    if (presigned === undefined) throw new Error("S3 presigns");
    const send = async () =>
      (await fetch(presigned.url, { method: "PUT", headers: presigned.headers, body: bytes })).status;
    await waitFor("the URL's time to be over", async () => (await send()) === 403);
  });

  it.each([
    ["its parts were put together", { staged: true }],
    ["all but the record of it was removed", { staged: false }],
  ])("completes an upload again that was cut off after %s", async (_when, { staged }) => {
    const prefix = `again-${++stores}`;
    const store = openBlobStore(s3.url(prefix));
    const announced = { digest: digestOf(bytes), sizeBytes: bytes.length, owner: "user:ada" };
    const { uploadId } = await store.beginMultipart(announced);
    const folder = join(s3.folder, prefix);
    const record = await readFile(join(folder, "uploads", uploadId));
    await store.uploadPart(uploadId, 1, bytes);
    await store.completeMultipart(uploadId);
    for (const name of ["uploads", "staged"]) await mkdir(join(folder, name), { recursive: true });
    await writeFile(join(folder, "uploads", uploadId), record);
    if (staged) await writeFile(join(folder, "staged", uploadId), bytes);
    expect(await store.completeMultipart(uploadId)).toEqual({
      digest: announced.digest,
      sizeBytes: bytes.length,
    });
    await expect(store.uploadState(uploadId)).rejects.toMatchObject({ reason: "UPLOAD_NOT_FOUND" });
  });

  it("tidies up uploads that nobody goes on with, of clients and of writers that died", async () => {
    const prefix = `tidy-${++stores}`;
    const store = openBlobStore(s3.url(prefix));
    const { uploadId } = await store.beginMultipart();
    await store.uploadPart(uploadId, 1, bytes);
    const { digest } = await store.put(Buffer.from("kept"));
    await openBlobStore(s3.url(prefix), { now: () => Date.now() + 8 * DAY_MS }).tidy();
    await expect(store.uploadState(uploadId)).rejects.toMatchObject({ reason: "UPLOAD_NOT_FOUND" });
    expect(await store.stat(digest)).toBeDefined();
    const files = await readdir(join(s3.folder, prefix), { recursive: true, withFileTypes: true });
    expect(files.filter((entry) => entry.isFile()).map(({ name }) => name)).toEqual([digest]);
  });

  it("that is down says so and works again when it is back", async () => {
    const store = openBlobStore(s3.url(`down-${++stores}`));
    const { digest } = await store.put(bytes);
    await s3.stop();
    const down = { code: "unavailable", reason: "BLOB_STORE_UNAVAILABLE" };
    await expect(store.stat(digest)).rejects.toMatchObject(down);
    await expect(store.put(randomBytes(10))).rejects.toMatchObject(down);
    await expect(store.put(chunks(20))).rejects.toMatchObject(down);
    await expect(store.open(digest)).rejects.toMatchObject(down);
    await s3.start();
    expect(await buffer(await store.open(digest))).toEqual(bytes);
  });

  it("with the wrong credentials says so, and not what they are", async () => {
    const right = process.env.AWS_SECRET_ACCESS_KEY;
    process.env.AWS_SECRET_ACCESS_KEY = "not-the-secret";
    try {
      const refused = await openBlobStore(s3.url("x"))
        .put(randomBytes(10))
        .catch((error: unknown) => error);
      expect(refused).toMatchObject({ reason: "BLOB_STORE_UNAVAILABLE" });
      expect(String(refused)).toContain("SignatureDoesNotMatch");
      expect(String(refused)).not.toContain("not-the-secret");
    } finally {
      process.env.AWS_SECRET_ACCESS_KEY = right;
    }
  });
});

async function* chunks(count: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) yield Buffer.alloc(1024 ** 2, i);
}
