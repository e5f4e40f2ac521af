import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { Header } from "tar";
import { manifestName } from "./bundle-format.ts";

const block = 512;

/** Writes the entries of a bundle one after another, and at the end what they were. */
export class TarWriter {
  readonly #file: FileHandle;
  readonly #entries: { name: string; sizeBytes: number; sha256: string }[] = [];
  readonly #names = new Set<string>();

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async create(path: string): Promise<TarWriter> {
    return new TarWriter(await open(path, "w", 0o600));
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Writes an entry whose size is known before. Throws when the content has another. */
  async add(name: string, sizeBytes: number, content: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#header(name, sizeBytes);
    const hash = createHash("sha256");
    let written = 0;
    for await (const chunk of content) {
      written += chunk.length;
      if (written > sizeBytes) break;
      hash.update(chunk);
      await this.#file.writeFile(chunk);
    }
    if (written !== sizeBytes) throw new Error(`${name} has ${written} bytes or more, not ${sizeBytes}`);
    await this.#file.writeFile(Buffer.alloc(padding(sizeBytes)));
    this.#names.add(name);
    this.#entries.push({ name, sizeBytes, sha256: hash.digest("hex") });
  }

  async addJson(name: string, value: unknown): Promise<void> {
    await this.addText(name, `${JSON.stringify(value)}\n`);
  }

  async addText(name: string, text: string): Promise<void> {
    const bytes = Buffer.from(text);
    await this.add(name, bytes.length, once(bytes));
  }

  /** Writes the manifest and the tar's end, durably. Gives the number of bytes in all. */
  async finish(): Promise<number> {
    await this.addJson(manifestName, { entries: [...this.#entries] });
    await this.#file.writeFile(Buffer.alloc(2 * block));
    await this.#file.sync();
    return (await this.#file.stat()).size;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #header(path: string, size: number): Promise<void> {
    const header = new Header({ path, mode: 0o644, size, type: "File", mtime: new Date(0) });
    const bytes = Buffer.alloc(block);
    // True when a name does not fit, which none of a bundle's can be.
    if (header.encode(bytes)) throw new Error(`${path} does not fit into a tar header`);
    await this.#file.writeFile(bytes);
  }
}

/** Bytes after an entry's content up to the next block. */
export function padding(size: number): number {
  return (block - (size % block)) % block;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
