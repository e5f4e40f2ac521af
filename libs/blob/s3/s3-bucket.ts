import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { S3Client } from "@aws-sdk/client-s3";
import { isMissing, s3Unavailable } from "./s3-errors.ts";
import type { S3Settings } from "./s3-settings.ts";

type Sdk = typeof import("@aws-sdk/client-s3");

/** An object as a listing shows it. */
export interface ListedObject {
  /** Without the store's prefix. */
  readonly key: string;
  readonly sizeBytes: number;
  readonly modifiedAt: number;
}

/** A part that the server has, with its word for it. */
export interface BucketPart {
  readonly partNumber: number;
  readonly sizeBytes: number;
  /** SHA-256 as S3 writes it, base64. */
  readonly sha256: string;
  readonly etag: string;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** A connection that is silent for so long is given up. */
const SILENCE_TIMEOUT_MS = 60_000;
const ATTEMPTS = 3;

/** Servers that keep objects as files remove empty folders, and refuse what is put into one at that moment. */
const FOLDER_GOES = "ExistingObjectIsDirectory";
const FOLDER_TRIES = 10;

/**
 * One bucket, in the calls that a blob store needs. The SDK takes 95 ms to import and is imported by the first call. Throws
 * `unavailable` BLOB_STORE_UNAVAILABLE for whatever the server does not do; what is missing is `undefined`.
 */
export class S3Bucket {
  readonly #settings: S3Settings;
  #opened: Promise<{ readonly sdk: Sdk; readonly client: S3Client }> | undefined;

  constructor(settings: S3Settings) {
    this.#settings = settings;
  }

  async open() {
    this.#opened ??= import("@aws-sdk/client-s3").then((sdk) => ({
      sdk,
      client: new sdk.S3Client({
        region: this.#settings.region,
        ...(this.#settings.endpoint === undefined
          ? {}
          : { endpoint: this.#settings.endpoint, forcePathStyle: true }),
        maxAttempts: ATTEMPTS,
        requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: SILENCE_TIMEOUT_MS },
        // Every write names its SHA-256 itself, and a presigned URL with the checksum of an empty body is refused.
        requestChecksumCalculation: "WHEN_REQUIRED",
        responseChecksumValidation: "WHEN_REQUIRED",
      }),
    }));
    return await this.#opened;
  }

  /** The bucket and the whole key, as every call names an object. */
  at(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#settings.bucket, Key: `${this.#settings.prefix}${key}` };
  }

  /** Runs a call; what it throws is told as the store's own error, but for what is missing, which is `undefined`. */
  async call<T>(what: string, fn: (client: S3Client, sdk: Sdk) => Promise<T>): Promise<T | undefined> {
    try {
      const { client, sdk } = await this.open();
      return await fn(client, sdk);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw s3Unavailable(what, error);
    }
  }

  async put(key: string, body: Uint8Array, sha256: string): Promise<void> {
    await this.call("store an object", (client, { PutObjectCommand }) =>
      pastFolders(() =>
        client.send(new PutObjectCommand({ ...this.at(key), Body: body, ChecksumSHA256: sha256 })),
      ),
    );
  }

  async head(key: string): Promise<{ readonly sizeBytes: number } | undefined> {
    const found = await this.call("look for an object", (client, { HeadObjectCommand }) =>
      client.send(new HeadObjectCommand(this.at(key))),
    );
    return found === undefined ? undefined : { sizeBytes: found.ContentLength ?? 0 };
  }

  /** The content as a stream; `range` in HTTP's words. */
  async get(key: string, range?: string): Promise<Readable | undefined> {
    const found = await this.call("read an object", (client, { GetObjectCommand }) =>
      client.send(
        new GetObjectCommand({ ...this.at(key), ...(range === undefined ? {} : { Range: range }) }),
      ),
    );
    return found?.Body as Readable | undefined; // A Node stream under Node.
  }

  async remove(key: string, signal?: AbortSignal): Promise<void> {
    await this.call("delete an object", (client, { DeleteObjectCommand }) =>
      client.send(new DeleteObjectCommand(this.at(key)), signal === undefined ? {} : { abortSignal: signal }),
    );
  }

  /** Objects whose key begins so, in order. */
  async *list(begin: string): AsyncGenerator<ListedObject> {
    const { prefix, bucket: Bucket } = this.#settings;
    for (let token: string | undefined; ; ) {
      const page = await this.call("list objects", (client, { ListObjectsV2Command }) =>
        client.send(
          new ListObjectsV2Command({
            Bucket,
            Prefix: `${prefix}${begin}`,
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
        ),
      );
      for (const { Key = "", Size = 0, LastModified } of page?.Contents ?? []) {
        yield {
          key: Key.slice(prefix.length),
          sizeBytes: Size,
          modifiedAt: LastModified?.getTime() ?? Date.now(),
        };
      }
      token = page?.NextContinuationToken;
      if (page?.IsTruncated !== true || token === undefined) return;
    }
  }

  /**
   * Copies inside S3; no byte comes here. Gives the SHA-256 (base64) that S3 has computed over the whole content where
   * the server does that, and whether there was something to copy.
   */
  async copy(from: string, to: string): Promise<{ readonly sha256: string | undefined } | undefined> {
    const { Bucket, Key } = this.at(from);
    const copied = await this.call("copy an object", (client, { CopyObjectCommand }) =>
      client.send(
        new CopyObjectCommand({
          ...this.at(to),
          CopySource: `${Bucket}/${Key.split("/").map(encodeURIComponent).join("/")}`,
          ChecksumAlgorithm: "SHA256",
        }),
      ),
    );
    if (copied === undefined) return undefined;
    const sha256 = copied.CopyObjectResult?.ChecksumSHA256;
    // "…-7" is made of the checksums of seven parts, and says nothing of the whole.
    return { sha256: sha256?.includes("-") === true ? undefined : sha256 };
  }
}

async function pastFolders<T>(put: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await put();
    } catch (error) {
      if (!(error instanceof Error && error.name === FOLDER_GOES) || tries >= FOLDER_TRIES) throw error;
      await sleep(tries * 5);
    }
  }
}
