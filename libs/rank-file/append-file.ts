import { constants, existsSync, fstatSync, readSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** So little is what was appended since the last look: it is in memory still, as the file's size is, and is read like that. */
const JUST_WRITTEN_BYTES = 16 * 1024;

/**
 * Reads a file that another process appends to, and that may not be there yet. Only a plain file of the rank's directory
 * is opened: a link in its place would let a rank have any file of the node shipped as its log.
 */
export class AppendFile {
  readonly #path: string;
  #file: FileHandle | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Its size now; 0 while it is not there. Asked of an open file, this is answered from memory: a call into the kernel costs a
   * microsecond, a way through the thread pool a hundred, and each output of each rank is looked at many times a second.
   */
  async size(): Promise<number> {
    const file = await this.#open();
    return file === undefined ? 0 : fstatSync(file.fd).size;
  }

  /** Up to `length` bytes at `offset`; fewer (or none) at its end. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const file = await this.#open();
    if (file === undefined) return new Uint8Array();
    // No more memory than there is to read: megabytes a second outside the heap have the collector run without a pause.
    const there = Math.min(length, fstatSync(file.fd).size - offset);
    if (there <= 0) return new Uint8Array();
    const buffer = Buffer.allocUnsafe(there);
    const bytesRead =
      there <= JUST_WRITTEN_BYTES
        ? readSync(file.fd, buffer, 0, there, offset)
        : (await file.read(buffer, 0, there, offset)).bytesRead;
    return buffer.subarray(0, bytesRead);
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async #open(): Promise<FileHandle | undefined> {
    if (this.#file !== undefined) return this.#file;
    if (!existsSync(this.#path)) return undefined;
    try {
      const file = await open(this.#path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      if (!(await file.stat()).isFile()) {
        await file.close();
        return undefined;
      }
      this.#file = file;
    } catch {
      // Not there yet, or not to be read: the same to whoever waits for data.
      return undefined;
    }
    return this.#file;
  }
}
