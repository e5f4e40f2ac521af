import { createHash, randomUUID } from "node:crypto";
import { buffer } from "node:stream/consumers";
import type { Announced, MultipartPart, PutResult, UploadState } from "../blob-store.ts";
import { checkDigest } from "../checked-content.ts";
import { digestMismatch, uploadNotFound } from "../errors.ts";
import { announcedId, assertPart, assertParts, collectPart, UPLOAD_ID } from "../multipart.ts";
import type { S3Bucket } from "./s3-bucket.ts";
import { S3Multipart } from "./s3-multipart.ts";

/** What S3 copies in one call. */
const MAX_COPY_BYTES = 5 * 1024 ** 3;

interface Session {
  /** S3's own id of the upload to `staged/<upload id>`. */
  readonly s3Id: string;
  readonly announced?: Announced;
  readonly begunAt: number;
}

/**
 * Uploads in parts: `uploads/<upload id>` says what is under way, the parts go to `staged/<upload id>`, which nothing reads
 * under a digest. From there content is verified by S3 itself, which computes the SHA-256 of the whole while it copies
 * it to `verified/<upload id>`; only then it is copied to its digest. Each step can be done again after a crash.
 */
export class S3Uploads {
  readonly #bucket: S3Bucket;
  readonly #multipart: S3Multipart;
  readonly #now: () => number;

  constructor(bucket: S3Bucket, now: () => number) {
    this.#bucket = bucket;
    this.#multipart = new S3Multipart(bucket);
    this.#now = now;
  }

  async begin(announced: Announced | undefined): Promise<string> {
    const uploadId = announced === undefined ? randomUUID() : announcedId(announced);
    if (announced !== undefined && (await this.#goesOn(uploadId))) return uploadId;
    const s3Id = await this.#multipart.begin(`staged/${uploadId}`);
    const session: Session = {
      s3Id,
      begunAt: this.#now(),
      ...(announced === undefined ? {} : { announced }),
    };
    const body = Buffer.from(JSON.stringify(session));
    await this.#bucket.put(`uploads/${uploadId}`, body, sha256(body));
    return uploadId;
  }

  async state(uploadId: string): Promise<UploadState> {
    const session = await this.#session(uploadId);
    const { announced, begunAt } = session;
    const parts = await this.list(uploadId, session);
    return { uploadId, begunAt, parts, ...(announced === undefined ? {} : { announced }) };
  }

  async announced(uploadId: string): Promise<Announced | undefined> {
    return (await this.#session(uploadId)).announced;
  }

  async put(
    uploadId: string,
    partNumber: number,
    data: AsyncIterable<Uint8Array> | Uint8Array,
    expectDigest?: string,
  ): Promise<MultipartPart> {
    const { s3Id } = await this.#session(uploadId);
    assertPart(partNumber);
    const body = await collectPart(data);
    const digest = createHash("sha256").update(body).digest();
    checkDigest(digest.toString("hex"), expectDigest === undefined ? {} : { expectDigest });
    const part = { partNumber, body, sha256: digest.toString("base64") };
    const stored = await this.#multipart.put(`staged/${uploadId}`, s3Id, part);
    if (stored === undefined) throw uploadNotFound(uploadId);
    return { partNumber, sizeBytes: body.length, digest: digest.toString("hex") };
  }

  async presign(uploadId: string, part: MultipartPart, ttlMs: number) {
    const { s3Id } = await this.#session(uploadId);
    assertPart(part.partNumber);
    const { partNumber, sizeBytes, digest } = part;
    const sha = Buffer.from(digest, "hex").toString("base64");
    const named = { partNumber, sizeBytes, sha256: sha };
    return await this.#multipart.presign(`staged/${uploadId}`, s3Id, named, ttlMs);
  }

  async list(uploadId: string, session?: Session): Promise<readonly MultipartPart[]> {
    const { s3Id } = session ?? (await this.#session(uploadId));
    const parts = (await this.#multipart.list(`staged/${uploadId}`, s3Id)) ?? [];
    return parts.map((part) => ({
      partNumber: part.partNumber,
      sizeBytes: part.sizeBytes,
      digest: Buffer.from(part.sha256, "base64").toString("hex"),
    }));
  }

  /** Has the content at a key of its own, its digest known for certain, and gives where; `undefined` when none is left. */
  async stage(
    uploadId: string,
    expectSize: (sizeBytes: number) => void,
  ): Promise<(PutResult & { readonly from: string }) | undefined> {
    const { s3Id } = await this.#session(uploadId);
    const staged = `staged/${uploadId}`;
    const parts = await this.#multipart.list(staged, s3Id);
    if (parts !== undefined) {
      assertParts(parts);
      expectSize(parts.reduce((sum, part) => sum + part.sizeBytes, 0));
      await this.#multipart.complete(staged, s3Id, parts);
    }
    const found = await this.#bucket.head(staged);
    if (found === undefined) return undefined;
    expectSize(found.sizeBytes);
    const verified = `verified/${uploadId}`;
    const copied = found.sizeBytes <= MAX_COPY_BYTES ? await this.#bucket.copy(staged, verified) : undefined;
    if (copied?.sha256 !== undefined) {
      const digest = Buffer.from(copied.sha256, "base64").toString("hex");
      return { digest, sizeBytes: found.sizeBytes, from: verified };
    }
    // The server computes no digest of the whole, or the content is too large for it: it is read once, as a stream.
    return { digest: await this.#read(staged), sizeBytes: found.sizeBytes, from: staged };
  }

  /** Copies staged content to where it is served from. */
  async publish(from: string, key: string, { digest, sizeBytes }: PutResult): Promise<void> {
    if (sizeBytes > MAX_COPY_BYTES) return await this.#multipart.copy(from, key, sizeBytes);
    const copied = await this.#bucket.copy(from, key);
    if (copied === undefined) throw uploadNotFound(from);
    const actual =
      copied.sha256 === undefined ? digest : Buffer.from(copied.sha256, "base64").toString("hex");
    if (actual === digest) return;
    await this.#bucket.remove(key);
    throw digestMismatch(digest, actual);
  }

  /** Nothing is left of the upload; what says that it was there goes last. */
  async remove(uploadId: string): Promise<void> {
    const session = await this.#find(uploadId);
    if (session === undefined) return;
    await this.#multipart.abort(`staged/${uploadId}`, session.s3Id);
    for (const folder of ["verified", "staged", "uploads"])
      await this.#bucket.remove(`${folder}/${uploadId}`);
  }

  /** Gives up uploads that began before a moment, and what writers that died have left. */
  async tidy(before: number): Promise<void> {
    for (const folder of ["uploads", "staged", "verified"]) {
      for await (const { key, modifiedAt } of this.#bucket.list(`${folder}/`)) {
        if (modifiedAt >= before) continue;
        if (folder === "uploads") await this.remove(key.slice("uploads/".length));
        else await this.#bucket.remove(key);
      }
    }
    for (const folder of ["staged/", "verified/", "sha256/"]) {
      for await (const { key, id, begunAt } of this.#multipart.underWay(folder)) {
        if (begunAt < before) await this.#multipart.abort(key, id);
      }
    }
  }

  async #read(key: string): Promise<string> {
    const hash = createHash("sha256");
    const content = await this.#bucket.get(key);
    if (content === undefined) throw uploadNotFound(key);
    for await (const chunk of content) hash.update(chunk as Uint8Array); // A body's chunks are bytes.
    return hash.digest("hex");
  }

  /** Whether an upload is under way; one whose end was cut off at the last moment is not. */
  async #goesOn(uploadId: string): Promise<boolean> {
    const session = await this.#find(uploadId);
    if (session === undefined) return false;
    const staged = `staged/${uploadId}`;
    const parts = await this.#multipart.list(staged, session.s3Id);
    return parts !== undefined || (await this.#bucket.head(staged)) !== undefined;
  }

  async #session(uploadId: string): Promise<Session> {
    const session = await this.#find(uploadId);
    if (session === undefined) throw uploadNotFound(uploadId);
    return session;
  }

  async #find(uploadId: string): Promise<Session | undefined> {
    if (!UPLOAD_ID.test(uploadId)) return undefined;
    const body = await this.#bucket.get(`uploads/${uploadId}`);
    return body === undefined ? undefined : (JSON.parse((await buffer(body)).toString()) as Session); // Written by `begin`.
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("base64");
}
