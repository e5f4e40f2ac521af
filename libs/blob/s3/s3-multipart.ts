import type { BucketPart, S3Bucket } from "./s3-bucket.ts";

/** How long a presigned URL works: long enough for a part on a slow line, short for one that leaks. */
export const PRESIGNED_TTL_MS = 15 * 60_000;

/** Parts of one copy inside S3, which takes objects of more than 5 GiB only so. */
const COPY_PART_BYTES = 1024 ** 3;

/** An upload in parts in S3: every part is checked by the server against the SHA-256 that it was announced with. */
export class S3Multipart {
  readonly #bucket: S3Bucket;

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket;
  }

  async begin(key: string): Promise<string> {
    const begun = await this.#bucket.call("begin an upload", (client, { CreateMultipartUploadCommand }) =>
      client.send(new CreateMultipartUploadCommand({ ...this.#bucket.at(key), ChecksumAlgorithm: "SHA256" })),
    );
    if (begun?.UploadId === undefined) throw new Error("S3 has begun an upload without an id");
    return begun.UploadId;
  }

  /** `undefined` when there is no such upload. */
  async put(key: string, id: string, part: { partNumber: number; body: Uint8Array; sha256: string }) {
    const { partNumber: PartNumber, body: Body, sha256: ChecksumSHA256 } = part;
    return await this.#bucket.call("store a part", (client, { UploadPartCommand }) =>
      client.send(
        new UploadPartCommand({ ...this.#bucket.at(key), UploadId: id, PartNumber, Body, ChecksumSHA256 }),
      ),
    );
  }

  /** The parts in order; `undefined` when there is no such upload. */
  async list(key: string, id: string): Promise<BucketPart[] | undefined> {
    const parts: BucketPart[] = [];
    for (let marker: string | undefined; ; ) {
      const page = await this.#bucket.call("list parts", (client, { ListPartsCommand }) =>
        client.send(
          new ListPartsCommand({
            ...this.#bucket.at(key),
            UploadId: id,
            ...(marker === undefined ? {} : { PartNumberMarker: marker }),
          }),
        ),
      );
      if (page === undefined) return undefined;
      for (const { PartNumber = 0, Size = 0, ChecksumSHA256 = "", ETag = "" } of page.Parts ?? []) {
        parts.push({ partNumber: PartNumber, sizeBytes: Size, sha256: ChecksumSHA256, etag: ETag });
      }
      marker = page.NextPartNumberMarker;
      if (page.IsTruncated !== true || marker === undefined) return parts;
    }
  }

  /** Makes the object visible; `undefined` when there is no such upload (any more). */
  async complete(key: string, id: string, parts: readonly BucketPart[]) {
    const Parts = parts.map(({ partNumber, etag, sha256 }) => ({
      PartNumber: partNumber,
      ETag: etag,
      ...(sha256 === "" ? {} : { ChecksumSHA256: sha256 }),
    }));
    return await this.#bucket.call("complete an upload", (client, { CompleteMultipartUploadCommand }) =>
      client.send(
        new CompleteMultipartUploadCommand({
          ...this.#bucket.at(key),
          UploadId: id,
          MultipartUpload: { Parts },
        }),
      ),
    );
  }

  async abort(key: string, id: string): Promise<void> {
    await this.#bucket.call("abort an upload", (client, { AbortMultipartUploadCommand }) =>
      client.send(new AbortMultipartUploadCommand({ ...this.#bucket.at(key), UploadId: id })),
    );
  }

  /** Uploads that are under way below a key, with when they began. */
  async *underWay(begin: string) {
    const { Bucket, Key } = this.#bucket.at(begin);
    const skip = Key.length - begin.length;
    for (let after: { KeyMarker?: string; UploadIdMarker?: string } = {}; ; ) {
      const page = await this.#bucket.call("list uploads", (client, { ListMultipartUploadsCommand }) =>
        client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: Key, ...after })),
      );
      for (const { Key: key = "", UploadId = "", Initiated } of page?.Uploads ?? []) {
        yield { key: key.slice(skip), id: UploadId, begunAt: Initiated?.getTime() ?? Date.now() };
      }
      if (page?.IsTruncated !== true || page.NextKeyMarker === undefined) return;
      after = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker ?? "" };
    }
  }

  /** A URL that takes exactly this part: S3 refuses another length or another SHA-256, and after its time everything. */
  async presign(
    key: string,
    id: string,
    part: { partNumber: number; sizeBytes: number; sha256: string },
    ttlMs: number,
  ) {
    const { getSignedUrl } = await import("@aws-sdk/s3-request-presigner");
    const { client, sdk } = await this.#bucket.open();
    const command = new sdk.UploadPartCommand({
      ...this.#bucket.at(key),
      UploadId: id,
      PartNumber: part.partNumber,
      ContentLength: part.sizeBytes,
      ChecksumSHA256: part.sha256,
    });
    const url = await getSignedUrl(client, command, {
      expiresIn: ttlMs / 1000,
      unhoistableHeaders: new Set(["x-amz-checksum-sha256"]),
      signableHeaders: new Set(["host", "content-length", "x-amz-checksum-sha256"]),
    });
    return { url, headers: { "x-amz-checksum-sha256": part.sha256 } };
  }

  /** Copies an object of any size inside S3, in parts. */
  async copy(from: string, to: string, sizeBytes: number): Promise<void> {
    const { Bucket, Key } = this.#bucket.at(from);
    const id = await this.begin(to);
    try {
      const parts: BucketPart[] = [];
      for (let start = 0, partNumber = 1; start < sizeBytes; start += COPY_PART_BYTES, partNumber++) {
        const end = Math.min(start + COPY_PART_BYTES, sizeBytes) - 1;
        const copied = await this.#bucket.call("copy a part", (client, { UploadPartCopyCommand }) =>
          client.send(
            new UploadPartCopyCommand({
              ...this.#bucket.at(to),
              UploadId: id,
              PartNumber: partNumber,
              CopySource: `${Bucket}/${Key}`,
              CopySourceRange: `bytes=${start}-${end}`,
            }),
          ),
        );
        const { ETag = "", ChecksumSHA256 = "" } = copied?.CopyPartResult ?? {};
        parts.push({ partNumber, sizeBytes: end - start + 1, etag: ETag, sha256: ChecksumSHA256 });
      }
      await this.complete(to, id, parts);
    } catch (error) {
      await this.abort(to, id).catch(() => undefined);
      throw error;
    }
  }
}
