import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Announced, MultipartPart, UploadState } from "./blob-store.ts";
import { makeFolder, publish, writeTemp } from "./durable-file.ts";
import { hasCode, uploadNotFound } from "./errors.ts";
import { announcedId, assertPart, assertParts, limitedPart, UPLOAD_ID } from "./multipart.ts";
import { namesIn } from "./pin-files.ts";

const PART_FILE = /^(\d{5})-([0-9a-f]{64})$/;
const READ_BYTES = 1024 ** 2;
const ABOUT_FILE = "about.json";

interface About {
  readonly begunAt: number;
  readonly announced?: Announced;
}

/**
 * Uploads in parts, as folders `uploads/<upload id>` with one file per part, `<number>-<digest>`: what a part is can be
 * listed without reading it, and a part that is there is whole. `about.json` says when it began, and as what.
 */
export class MultipartFiles {
  readonly #root: string;
  readonly #temp: string;
  readonly #now: () => number;

  constructor(root: string, temp: string, now: () => number) {
    this.#root = root;
    this.#temp = temp;
    this.#now = now;
  }

  async begin(announced: Announced | undefined): Promise<string> {
    const uploadId = announced === undefined ? randomUUID() : announcedId(announced);
    if (announced !== undefined && (await this.#about(uploadId)) !== undefined) return uploadId;
    await makeFolder(join(this.#root, uploadId));
    const about: About = { begunAt: this.#now(), ...(announced === undefined ? {} : { announced }) };
    const temp = join(this.#temp, randomUUID());
    await writeTemp(temp, Buffer.from(JSON.stringify(about)));
    await publish(temp, join(this.#root, uploadId, ABOUT_FILE));
    return uploadId;
  }

  async state(uploadId: string): Promise<UploadState> {
    const about = await this.#about(uploadId);
    if (about === undefined) throw uploadNotFound(uploadId);
    return { uploadId, ...about, parts: await this.list(uploadId) };
  }

  async upload(
    uploadId: string,
    partNumber: number,
    data: AsyncIterable<Uint8Array> | Uint8Array,
    expectDigest?: string,
  ): Promise<MultipartPart> {
    const folder = await this.#existing(uploadId);
    assertPart(partNumber);
    const temp = join(this.#temp, randomUUID());
    const { digest, sizeBytes } = await writeTemp(
      temp,
      limitedPart(data),
      expectDigest === undefined ? {} : { expectDigest },
    );
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

  /** The content of all parts in order. Throws PART_MISSING where the numbers have a gap, PART_TOO_SMALL. */
  async *read(uploadId: string): AsyncGenerator<Uint8Array> {
    const parts = await this.list(uploadId);
    assertParts(parts);
    for (const { partNumber, digest } of parts) {
      const name = `${String(partNumber).padStart(5, "0")}-${digest}`;
      yield* createReadStream(join(this.#root, uploadId, name), { highWaterMark: READ_BYTES });
    }
  }

  async remove(uploadId: string): Promise<void> {
    if (!UPLOAD_ID.test(uploadId)) return;
    await rm(join(this.#root, uploadId), { recursive: true, force: true });
  }

  async #about(uploadId: string): Promise<About | undefined> {
    if (!UPLOAD_ID.test(uploadId)) return undefined;
    try {
      return JSON.parse(await readFile(join(this.#root, uploadId, ABOUT_FILE), "utf8")) as About; // Written by `begin`.
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw error;
    }
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
