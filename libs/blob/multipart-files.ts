import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { DomainError } from "@trainyard/domain";
import type { MultipartPart } from "./blob-store.ts";
import { makeFolder, publish, writeTemp } from "./durable-file.ts";
import { hasCode, partMissing, uploadNotFound } from "./errors.ts";
import { namesIn } from "./pin-files.ts";

/** As many parts as S3 takes. */
const MAX_PARTS = 10_000;

const UPLOAD_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const PART_FILE = /^(\d{5})-([0-9a-f]{64})$/;

/**
 * Uploads in parts, as folders `uploads/<upload id>` with one file per part, `<number>-<digest>`: what a part is can be
 * listed without reading it, and a part that is there is whole.
 */
export class MultipartFiles {
  readonly #root: string;
  readonly #temp: string;

  constructor(root: string, temp: string) {
    this.#root = root;
    this.#temp = temp;
  }

  async begin(): Promise<string> {
    const uploadId = randomUUID();
    await makeFolder(join(this.#root, uploadId));
    return uploadId;
  }

  async upload(
    uploadId: string,
    partNumber: number,
    data: AsyncIterable<Uint8Array> | Uint8Array,
  ): Promise<MultipartPart> {
    const folder = await this.#existing(uploadId);
    if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > MAX_PARTS) {
      const description = `expected a whole number from 1 to ${MAX_PARTS}, got ${partNumber}`;
      throw new DomainError("invalid_argument", "PART_NUMBER_INVALID", `part_number: ${description}.`, {
        violations: [{ field: "part_number", description }],
      });
    }
    const temp = join(this.#temp, randomUUID());
    const { digest, sizeBytes } = await writeTemp(temp, data);
    const earlier = (await namesIn(folder)).filter(
      (name) => Number(PART_FILE.exec(name)?.[1]) === partNumber,
    );
    const name = `${String(partNumber).padStart(5, "0")}-${digest}`;
    await publish(temp, join(folder, name));
    await Promise.all(
      earlier.filter((other) => other !== name).map((other) => rm(join(folder, other), { force: true })),
    );
    return { partNumber, sizeBytes, digest };
  }

  async list(uploadId: string): Promise<readonly MultipartPart[]> {
    const folder = await this.#existing(uploadId);
    return await Promise.all(
      (await namesIn(folder)).flatMap((name) => {
        const [, number, digest] = PART_FILE.exec(name) ?? [];
        if (number === undefined || digest === undefined) return [];
        return stat(join(folder, name)).then(({ size }) => ({
          partNumber: Number(number),
          sizeBytes: size,
          digest,
        }));
      }),
    );
  }

  /** The content of all parts in order. Throws PART_MISSING where the numbers have a gap. */
  async *read(uploadId: string): AsyncGenerator<Uint8Array> {
    const parts = await this.list(uploadId);
    for (const [index, { partNumber }] of parts.entries()) {
      if (partNumber !== index + 1) throw partMissing(index + 1);
    }
    if (parts.length === 0) throw partMissing(1);
    for (const { partNumber, digest } of parts) {
      const name = `${String(partNumber).padStart(5, "0")}-${digest}`;
      yield* createReadStream(join(this.#root, uploadId, name));
    }
  }

  async remove(uploadId: string): Promise<void> {
    if (!UPLOAD_ID.test(uploadId)) return;
    await rm(join(this.#root, uploadId), { recursive: true, force: true });
  }

  async #existing(uploadId: string): Promise<string> {
    // An id becomes a folder's name.
    if (!UPLOAD_ID.test(uploadId)) throw uploadNotFound(uploadId);
    const folder = join(this.#root, uploadId);
    try {
      await stat(folder);
    } catch (error) {
      if (hasCode(error, "ENOENT")) throw uploadNotFound(uploadId);
      throw error;
    }
    return folder;
  }
}
