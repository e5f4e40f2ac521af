import { Readable } from "node:stream";
import { DomainError } from "@trainyard/domain";
import type { S3Bucket } from "./s3-bucket.ts";
import { s3Unavailable } from "./s3-errors.ts";

const PART_BYTES = 16 * 1024 ** 2;
/** Parts in flight: so many times PART_BYTES are in memory. */
const PARTS_AT_ONCE = 4;

/**
 * Stores a stream of unknown length in parts. The object becomes visible when the stream has ended well; when it throws,
 * the parts are thrown away, and its error is thrown on.
 */
export async function putStream(
  bucket: S3Bucket,
  key: string,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  const { Upload } = await import("@aws-sdk/lib-storage");
  const { client } = await bucket.open();
  let failure: { readonly error: unknown } | undefined;
  async function* watched() {
    try {
      yield* content;
    } catch (error) {
      failure = { error };
      throw error;
    }
  }
  try {
    const params = {
      ...bucket.at(key),
      Body: Readable.from(watched()),
      ChecksumAlgorithm: "SHA256",
    } as const;
    await new Upload({ client, params, partSize: PART_BYTES, queueSize: PARTS_AT_ONCE }).done();
  } catch (error) {
    if (failure !== undefined) throw failure.error;
    throw error instanceof DomainError ? error : s3Unavailable("store an object", error);
  }
}
