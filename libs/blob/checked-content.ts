import { createHash } from "node:crypto";
import type { PutOptions, PutResult } from "./blob-store.ts";
import { digestMismatch, sizeMismatch, tooLarge } from "./errors.ts";

type Expected = Pick<PutOptions, "expectDigest" | "expectSize" | "maxBytes">;

/** Throws BLOB_TOO_LARGE, SIZE_MISMATCH. */
export function checkSize(sizeBytes: number, { expectSize, maxBytes }: Expected): void {
  if (maxBytes !== undefined && sizeBytes > maxBytes) throw tooLarge(maxBytes);
  if (expectSize !== undefined && sizeBytes !== expectSize) throw sizeMismatch(expectSize, sizeBytes);
}

/** Throws DIGEST_MISMATCH. */
export function checkDigest(digest: string, { expectDigest }: Expected): void {
  if (expectDigest !== undefined && digest !== expectDigest) throw digestMismatch(expectDigest, digest);
}

/**
 * Content that is hashed and held against what was announced while it passes. It ends with an error instead of its end
 * when it is something else, so whoever stores it has not stored the last of it.
 */
export class CheckedContent {
  readonly #chunks: AsyncGenerator<Uint8Array>;
  readonly #expected: Expected;
  readonly #hash = createHash("sha256");
  #sizeBytes = 0;
  #result: PutResult | undefined;

  constructor(data: AsyncIterable<Uint8Array> | Uint8Array, expected: Expected) {
    this.#expected = expected;
    this.#chunks = this.#check(data);
  }

  /** The first bytes: all there are, or a little more than `atMost`. */
  async take(atMost: number): Promise<{ readonly bytes: Uint8Array; readonly isWhole: boolean }> {
    const taken: Uint8Array[] = [];
    for (let size = 0; size <= atMost; ) {
      const { value, done } = await this.#chunks.next();
      if (done === true) return { bytes: Buffer.concat(taken), isWhole: true };
      taken.push(value);
      size += value.byteLength;
    }
    return { bytes: Buffer.concat(taken), isWhole: false };
  }

  /** What was taken, and all that follows. */
  async *rest(taken: Uint8Array): AsyncGenerator<Uint8Array> {
    yield taken;
    yield* this.#chunks;
  }

  /** What the content was, once it has ended well. */
  result(): PutResult {
    if (this.#result === undefined) throw new Error("the content has not ended yet");
    return this.#result;
  }

  async *#check(data: AsyncIterable<Uint8Array> | Uint8Array): AsyncGenerator<Uint8Array> {
    const { maxBytes = Number.POSITIVE_INFINITY } = this.#expected;
    for await (const chunk of data instanceof Uint8Array ? [data] : data) {
      this.#sizeBytes += chunk.byteLength;
      if (this.#sizeBytes > maxBytes) throw tooLarge(maxBytes);
      this.#hash.update(chunk);
      yield chunk;
    }
    checkSize(this.#sizeBytes, this.#expected);
    const digest = this.#hash.digest("hex");
    checkDigest(digest, this.#expected);
    this.#result = { digest, sizeBytes: this.#sizeBytes };
  }
}
