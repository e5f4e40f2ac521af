import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { BlobStore } from "./blob-store.ts";
import { digestOf } from "./digest.ts";

/** A store made for one test, on a clock that the test moves. */
export interface MadeStore {
  readonly store: BlobStore;
  advance(ms: number): void;
  /** Puts other bytes where the blob's are, as a bad disk would. */
  damage(digest: string, bytes: Uint8Array): Promise<void>;
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

    it("stores what is too large for one call, of a known or an unknown digest", async () => {
      const { store } = await makeStore();
      const bytes = Buffer.alloc(40 * 1024 ** 2, "0123456789abcdef");
      const known = { digest: digestOf(bytes), sizeBytes: bytes.length };
      expect(await store.put(chunked(bytes, 1024 ** 2), { pin })).toEqual(known);
      expect(await store.pins(known.digest)).toEqual([pin.holder]);
      await store.put(chunked(bytes, 1024 ** 2), { expectDigest: known.digest });
      const wrong = store.put(chunked(bytes, 1024 ** 2), { expectDigest: absent });
      await expect(wrong).rejects.toMatchObject({ reason: "DIGEST_MISMATCH" });
      await expect(store.put(endless(), { maxBytes: 30 * 1024 ** 2 })).rejects.toMatchObject({
        reason: "BLOB_TOO_LARGE",
      });
      expect(await listed(store)).toEqual([known.digest]);
      expect(digestOf(await buffer(await store.open(known.digest)))).toBe(known.digest);
    });

    it("does not give the whole of a damaged blob, and says so", async () => {
      const { store, damage } = await makeStore();
      const bytes = Buffer.alloc(3 * 1024 ** 2, 7);
      const { digest } = await store.put(bytes);
      await damage(digest, Buffer.from(bytes).fill(8, 1_000_000, 1_000_001));
      let received = 0;
      const read = async () => {
        for await (const chunk of await store.open(digest)) received += (chunk as Uint8Array).length;
      };
      await expect(read()).rejects.toMatchObject({ code: "internal", reason: "BLOB_CORRUPT" });
      expect(received).toBeLessThan(bytes.length);
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

  describe(`${name}: pins and deletions at once`, () => {
    it("never take a blob from who has pinned it and found it there", async () => {
      const { store } = await makeStore();
      const bytes = Buffer.from("wanted and not wanted");
      const digest = digestOf(bytes);
      const outcomes = { found: 0, missing: 0, deleted: 0 };
      const until = performance.now() + 20_000;
      const goesOn = () => performance.now() < until && Math.min(...Object.values(outcomes)) < 4;
      const writer = async (holder: string) => {
        while (goesOn()) {
          await store.pin(digest, { holder, ttlMs: 60_000 });
          const there = (await store.stat(digest)) !== undefined;
          outcomes[there ? "found" : "missing"]++;
          if (!there) await store.put(bytes);
          for (let look = 0; look < 3; look++) {
            await new Promise(setImmediate);
            expect(
              await store.stat(digest),
              `${holder}, which ${there ? "found" : "stored"} it`,
            ).toBeDefined();
          }
          await store.unpin(digest, holder);
          await sleep(outcomes.found % 40);
        }
      };
      const collector = async () => {
        while (goesOn()) {
          const wasThere = (await store.stat(digest)) !== undefined;
          const gone = await store.delete(digest).then(
            () => true,
            (error: unknown) => {
              expect(error).toMatchObject({ reason: "BLOB_PINNED" });
              return false;
            },
          );
          if (gone && wasThere) outcomes.deleted++;
        }
      };
      await Promise.all([writer("w1"), writer("w2"), collector(), collector()]);
      expect(Math.min(...Object.values(outcomes)), JSON.stringify(outcomes)).toBeGreaterThanOrEqual(4);
    });

    it("are listed with who holds what since when, by the beginning of the digest", async () => {
      const { store, advance } = await makeStore();
      const digests = ["a", "b", "c"].map((text) => digestOf(Buffer.from(text))).sort();
      const long = "x".repeat(400);
      for (const digest of digests) await store.pin(digest, { holder: "run:default:1", ttlMs: 10_000 });
      await store.pin(digests[0] ?? "", { holder: "short", ttlMs: 10 });
      await store.pin(digests[0] ?? "", { holder: long, ttlMs: 10_000 });
      advance(100);
      const all = [];
      for await (const held of store.listPins()) all.push(held);
      expect(all.map(({ digest }) => digest)).toEqual([digests[0], ...digests]);
      expect(all.filter(({ holder }) => holder === "run:default:1")).toHaveLength(3);
      expect(Math.abs((all[0]?.since ?? 0) - Date.now())).toBeLessThan(60_000);
      const some = [];
      for await (const { digest } of store.listPins(digests[1]?.slice(0, 2))) some.push(digest);
      expect(some).toEqual(digests.filter((digest) => digest.startsWith(digests[1]?.slice(0, 2) ?? "")));
    });

    it("leave nothing to tidy that anybody wants", async () => {
      const { store } = await makeStore();
      const { digest } = await store.put(Buffer.from("x"), { pin: { holder: "h", ttlMs: 60_000 } });
      const { uploadId } = await store.beginMultipart();
      await store.uploadPart(uploadId, 1, Buffer.from("y"));
      await store.tidy();
      expect(await store.pins(digest)).toEqual(["h"]);
      expect(await store.stat(digest)).toBeDefined();
      expect(await store.listParts(uploadId)).toHaveLength(1);
    });
  });

  describe(`${name}: uploads in parts`, () => {
    /** Every part but the last has at least 5 MiB. */
    const hello = Buffer.alloc(5 * 1024 ** 2, "hello ");
    const world = Buffer.from("world");
    const whole = Buffer.concat([hello, world]);

    it("make one blob of the parts in order, whatever order they came in", async () => {
      const { store } = await makeStore();
      const { uploadId } = await store.beginMultipart();
      await store.uploadPart(uploadId, 2, world);
      await store.uploadPart(uploadId, 1, Buffer.from("wrong"));
      const other = store.uploadPart(uploadId, 1, hello, digestOf(world));
      await expect(other).rejects.toMatchObject({ reason: "DIGEST_MISMATCH" });
      const part = await store.uploadPart(uploadId, 1, chunked(hello, 100_000), digestOf(hello));
      const first = { partNumber: 1, sizeBytes: hello.length, digest: digestOf(hello) };
      expect(part).toEqual(first);
      expect(await store.listParts(uploadId)).toEqual([
        first,
        { partNumber: 2, sizeBytes: 5, digest: digestOf(world) },
      ]);
      const { digest } = await store.completeMultipart(uploadId, { pin });
      expect(digest).toBe(digestOf(whole));
      expect(digestOf(await buffer(await store.open(digest)))).toBe(digest);
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
      await store.uploadPart(uploadId, 1, hello);
      await store.uploadPart(uploadId, 3, Buffer.from("c"));
      await expect(store.completeMultipart(uploadId)).rejects.toMatchObject({
        metadata: { partNumber: "2" },
      });
      await store.uploadPart(uploadId, 2, world);
      await expect(store.completeMultipart(uploadId)).rejects.toMatchObject({ reason: "PART_TOO_SMALL" });
      await expect(store.uploadPart(uploadId, 2, cutOff())).rejects.toThrow("connection lost");
      await store.uploadPart(uploadId, 2, hello);
      const mismatch = store.completeMultipart(uploadId, { expectDigest: absent });
      await expect(mismatch).rejects.toMatchObject({ reason: "DIGEST_MISMATCH" });
      expect(await listed(store)).toEqual([]);
      await store.abortMultipart(uploadId);
      await store.abortMultipart(uploadId);
      await expect(store.completeMultipart(uploadId)).rejects.toMatchObject({ reason: "UPLOAD_NOT_FOUND" });
    });

    it("that were announced are found again with their parts, each owner's for itself", async () => {
      const { store } = await makeStore();
      const announced = { digest: digestOf(whole), sizeBytes: whole.length, owner: "user:ada" };
      const { uploadId } = await store.beginMultipart(announced);
      await store.uploadPart(uploadId, 1, hello);
      expect(await store.beginMultipart(announced)).toEqual({ uploadId });
      const other = await store.beginMultipart({ ...announced, owner: "user:bob" });
      expect(other.uploadId).not.toBe(uploadId);
      expect(await store.uploadState(uploadId)).toMatchObject({ announced, parts: [{ partNumber: 1 }] });
      await expect(store.completeMultipart(uploadId)).rejects.toMatchObject({ reason: "SIZE_MISMATCH" });
      await store.uploadPart(uploadId, 2, world);
      expect(await store.completeMultipart(uploadId)).toEqual({
        digest: announced.digest,
        sizeBytes: whole.length,
      });
    });

    it("that were announced as something else are never served, and thrown away", async () => {
      const { store } = await makeStore();
      const announced = { digest: absent, sizeBytes: hello.length, owner: "user:ada" };
      const { uploadId } = await store.beginMultipart(announced);
      await store.uploadPart(uploadId, 1, hello);
      await expect(store.completeMultipart(uploadId)).rejects.toMatchObject({ reason: "DIGEST_MISMATCH" });
      expect(await listed(store)).toEqual([]);
      await expect(store.uploadState(uploadId)).rejects.toMatchObject({ reason: "UPLOAD_NOT_FOUND" });
    });

    it.each(["", "..", "../sha256", "00000000-0000-4000-8000-000000000000"])(
      "do not go to %j",
      async (uploadId) => {
        const { store } = await makeStore();
        const missing = { reason: "UPLOAD_NOT_FOUND" };
        await expect(store.uploadPart(uploadId, 1, Buffer.from("x"))).rejects.toMatchObject(missing);
        await expect(store.listParts(uploadId)).rejects.toMatchObject(missing);
        await expect(store.uploadState(uploadId)).rejects.toMatchObject(missing);
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

    it("refuse a part of more than 64 MiB", async () => {
      const { store } = await makeStore();
      const { uploadId } = await store.beginMultipart();
      await expect(store.uploadPart(uploadId, 1, endless(1024 ** 2))).rejects.toMatchObject({
        reason: "PART_TOO_LARGE",
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

async function* endless(chunkBytes = 1_000): AsyncGenerator<Uint8Array> {
  const chunk = new Uint8Array(chunkBytes);
  for (;;) yield chunk;
}

async function* cutOff(): AsyncGenerator<Uint8Array> {
  yield Buffer.from("half of ");
  throw new Error("connection lost");
}
