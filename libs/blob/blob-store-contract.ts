import { buffer } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import type { BlobStore } from "./blob-store.ts";
import { digestOf } from "./digest.ts";

/** A store made for one test, on a clock that the test moves. */
export interface MadeStore {
  readonly store: BlobStore;
  advance(ms: number): void;
}

const absent = digestOf(Buffer.from("nobody stored this"));
const pin = { holder: "ckpt_1", ttlMs: 1_000 };

/**
 * What every blob store has to do, as tests: called by each implementation's own test file. It has its own entry
 * (`@trainyard/blob/contract`), since it needs the test runner.
 */
export function blobStoreContract(name: string, makeStore: () => Promise<MadeStore>): void {
  describe(`${name}: storing`, () => {
    it("gives back what was put, under its SHA-256", async () => {
      const { store } = await makeStore();
      const bytes = Buffer.from("weights");
      const put = await store.put(chunked(bytes, 2), { expectDigest: digestOf(bytes), expectSize: 7 });
      expect(put).toEqual({ digest: digestOf(bytes), sizeBytes: 7 });
      expect(await store.stat(put.digest)).toEqual({ sizeBytes: 7 });
      expect(await content(store, put.digest)).toBe("weights");
      expect(await buffer(await store.open(put.digest, { start: 2, end: 4 }))).toEqual(Buffer.from("igh"));
      expect(await buffer(await store.open(put.digest, { start: 4 }))).toEqual(Buffer.from("hts"));
    });

    it("stores the same content once, although several put it at once", async () => {
      const { store } = await makeStore();
      const puts = await Promise.all(
        Array.from({ length: 8 }, () => store.put(chunked(Buffer.alloc(100_000, 7), 999))),
      );
      expect(new Set(puts.map(({ digest }) => digest)).size).toBe(1);
      expect((await listed(store)).length).toBe(1);
    });

    it("stores the empty content", async () => {
      const { store } = await makeStore();
      const { digest } = await store.put(new Uint8Array());
      expect(await content(store, digest)).toBe("");
    });

    it("leaves nothing behind when the content is not what was announced, too large, or cut off", async () => {
      const { store } = await makeStore();
      const bytes = Buffer.from("weights");
      await expect(store.put(bytes, { expectDigest: absent })).rejects.toMatchObject({
        reason: "DIGEST_MISMATCH",
      });
      await expect(store.put(bytes, { expectSize: 8 })).rejects.toMatchObject({ reason: "SIZE_MISMATCH" });
      await expect(store.put(endless(), { maxBytes: 5_000 })).rejects.toMatchObject({
        code: "resource_exhausted",
        reason: "BLOB_TOO_LARGE",
      });
      await expect(store.put(cutOff())).rejects.toThrow("connection lost");
      expect(await listed(store)).toEqual([]);
    });

    it("says so when a blob is not there", async () => {
      const { store } = await makeStore();
      expect(await store.stat(absent)).toBeUndefined();
      await expect(store.open(absent)).rejects.toMatchObject({ code: "not_found", reason: "BLOB_NOT_FOUND" });
      await expect(store.delete(absent)).resolves.toBeUndefined();
    });

    it.each([{ start: -1 }, { start: 7 }, { start: 3, end: 2 }, { start: 0, end: 7 }, { start: Number.NaN }])(
      "refuses the range %j of seven bytes",
      async (range) => {
        const { store } = await makeStore();
        const { digest } = await store.put(Buffer.from("weights"));
        await expect(store.open(digest, range)).rejects.toMatchObject({ reason: "RANGE_INVALID" });
      },
    );

    it.each([
      "",
      "../../etc/passwd",
      "A".repeat(64),
      "a".repeat(63),
      `${"a".repeat(63)}/`,
      `${"a".repeat(64)}\n`,
    ])("refuses %j as a digest, whatever is asked", async (digest) => {
      const { store } = await makeStore();
      const invalid = { code: "invalid_argument", reason: "DIGEST_INVALID" };
      await expect(store.stat(digest)).rejects.toMatchObject(invalid);
      await expect(store.open(digest)).rejects.toMatchObject(invalid);
      await expect(store.delete(digest)).rejects.toMatchObject(invalid);
      await expect(store.pin(digest, pin)).rejects.toMatchObject(invalid);
      await expect(store.unpin(digest, "x")).rejects.toMatchObject(invalid);
      await expect(store.pins(digest)).rejects.toMatchObject(invalid);
      await expect(store.put(Buffer.from("x"), { expectDigest: digest })).rejects.toMatchObject(invalid);
    });

    it("lists blobs in order of digest, all or by prefix", async () => {
      const { store } = await makeStore();
      const puts = await Promise.all(
        Array.from({ length: 40 }, (_, i) => store.put(Buffer.from(`blob ${i}`))),
      );
      const digests = puts.map(({ digest }) => digest).sort();
      expect(await listed(store)).toEqual(digests);
      for (const length of [1, 2, 3, 4, 5, 64]) {
        const prefix = digests[7]?.slice(0, length) ?? "";
        expect(await listed(store, prefix)).toEqual(digests.filter((digest) => digest.startsWith(prefix)));
      }
    });
  });

  describe(`${name}: pins`, () => {
    it("keep a blob from being deleted until they are taken off or expire", async () => {
      const { store, advance } = await makeStore();
      const { digest } = await store.put(Buffer.from("weights"), { pin });
      await store.pin(digest, { holder: "../art 2", ttlMs: 5_000 });
      expect(await store.pins(digest)).toEqual(["../art 2", "ckpt_1"]);
      await expect(store.delete(digest)).rejects.toMatchObject({
        code: "failed_precondition",
        reason: "BLOB_PINNED",
      });
      advance(1_001);
      expect(await store.pins(digest)).toEqual(["../art 2"]);
      await store.unpin(digest, "../art 2");
      await store.delete(digest);
      expect(await store.stat(digest)).toBeUndefined();
    });

    it("can be taken before the blob is there, and renewed", async () => {
      const { store, advance } = await makeStore();
      const bytes = Buffer.from("later");
      await store.pin(digestOf(bytes), pin);
      advance(900);
      await store.pin(digestOf(bytes), pin);
      advance(900);
      await store.put(bytes);
      expect(await store.pins(digestOf(bytes))).toEqual(["ckpt_1"]);
    });
  });

  describe(`${name}: uploads in parts`, () => {
    it("make one blob of the parts in order, whatever order they came in", async () => {
      const { store } = await makeStore();
      const { uploadId } = await store.beginMultipart();
      await store.uploadPart(uploadId, 2, Buffer.from("world"));
      await store.uploadPart(uploadId, 1, Buffer.from("wrong"));
      const part = await store.uploadPart(uploadId, 1, chunked(Buffer.from("hello "), 4));
      expect(part).toEqual({ partNumber: 1, sizeBytes: 6, digest: digestOf(Buffer.from("hello ")) });
      expect(
        (await store.listParts(uploadId)).map(({ partNumber, sizeBytes }) => [partNumber, sizeBytes]),
      ).toEqual([
        [1, 6],
        [2, 5],
      ]);
      const { digest } = await store.completeMultipart(uploadId, { pin });
      expect(await content(store, digest)).toBe("hello world");
      expect(await store.pins(digest)).toEqual(["ckpt_1"]);
      await expect(store.listParts(uploadId)).rejects.toMatchObject({
        code: "not_found",
        reason: "UPLOAD_NOT_FOUND",
      });
    });

    it("can be completed again after a refusal, and leave nothing when aborted", async () => {
      const { store } = await makeStore();
      const { uploadId } = await store.beginMultipart();
      await expect(store.completeMultipart(uploadId)).rejects.toMatchObject({ reason: "PART_MISSING" });
      await store.uploadPart(uploadId, 1, Buffer.from("a"));
      await store.uploadPart(uploadId, 3, Buffer.from("c"));
      await expect(store.completeMultipart(uploadId)).rejects.toMatchObject({
        metadata: { partNumber: "2" },
      });
      await expect(store.uploadPart(uploadId, 2, cutOff())).rejects.toThrow("connection lost");
      await store.uploadPart(uploadId, 2, Buffer.from("b"));
      const mismatch = store.completeMultipart(uploadId, { expectDigest: absent });
      await expect(mismatch).rejects.toMatchObject({ reason: "DIGEST_MISMATCH" });
      expect(await listed(store)).toEqual([]);
      await store.abortMultipart(uploadId);
      await store.abortMultipart(uploadId);
      await expect(store.completeMultipart(uploadId)).rejects.toMatchObject({ reason: "UPLOAD_NOT_FOUND" });
    });

    it.each(["", "..", "../sha256", "00000000-0000-4000-8000-000000000000"])(
      "do not go to %j",
      async (uploadId) => {
        const { store } = await makeStore();
        const missing = { reason: "UPLOAD_NOT_FOUND" };
        await expect(store.uploadPart(uploadId, 1, Buffer.from("x"))).rejects.toMatchObject(missing);
        await expect(store.listParts(uploadId)).rejects.toMatchObject(missing);
        await expect(store.abortMultipart(uploadId)).resolves.toBeUndefined();
      },
    );

    it.each([0, -1, 1.5, 10_001])("refuse the part number %d", async (partNumber) => {
      const { store } = await makeStore();
      const { uploadId } = await store.beginMultipart();
      await expect(store.uploadPart(uploadId, partNumber, Buffer.from("x"))).rejects.toMatchObject({
        reason: "PART_NUMBER_INVALID",
      });
    });
  });
}

async function content(store: BlobStore, digest: string): Promise<string> {
  return (await buffer(await store.open(digest))).toString();
}

async function listed(store: BlobStore, prefix?: string): Promise<string[]> {
  const digests: string[] = [];
  for await (const { digest } of store.list(prefix)) digests.push(digest);
  return digests;
}

async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) yield new Uint8Array(1_000);
}

async function* cutOff(): AsyncGenerator<Uint8Array> {
  yield Buffer.from("half of ");
  throw new Error("connection lost");
}
