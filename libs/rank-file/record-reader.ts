import { crc32 } from "node:zlib";
import { AppendFile } from "./append-file.ts";
import { FRAME_HEADER_BYTES, type Frame, readFrame } from "./record-frame.ts";

/** How much is read at once; a longer frame is read in one piece of its own. */
const READ_BYTES = 256 * 1024;

/**
 * Reads the frames of a rank's record file in order while the rank appends to it. Ends at a torn or unfinished frame, and
 * goes on there when the file has changed.
 */
export class RecordReader {
  readonly #file: AppendFile;
  #position: number;
  #buffer: Uint8Array = new Uint8Array();
  /** Size of the file when its readable prefix was seen to end; the frame there is not read again until it differs. */
  #endedAtSize = -1;

  constructor(path: string, position = 0) {
    this.#file = new AppendFile(path);
    this.#position = position;
  }

  /** Where the next frame starts: the end of what has been read. */
  get position(): number {
    return this.#position;
  }

  /** The next whole frame; undefined when there is none (yet). */
  async next(): Promise<Frame | undefined> {
    let wanted = FRAME_HEADER_BYTES;
    for (;;) {
      if (this.#buffer.length < wanted && !(await this.#fill(wanted))) return undefined;
      const read = readFrame(this.#buffer, this.#position, crc32);
      if (read.kind === "frame") {
        this.#buffer = this.#buffer.subarray(read.frame.end - this.#position);
        this.#position = read.frame.end;
        return read.frame;
      }
      if (read.kind === "torn") {
        await this.#end();
        return undefined;
      }
      wanted = read.bytes;
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #fill(wanted: number): Promise<boolean> {
    const size = await this.#file.size();
    if (size === this.#endedAtSize || size - this.#position < wanted) {
      await this.#end(size);
      return false;
    }
    this.#buffer = await this.#file.read(this.#position, Math.max(wanted, READ_BYTES));
    return this.#buffer.length >= wanted;
  }

  /** Forgets what was read of an unfinished frame: a writer whose disk was full takes it back and writes another there. */
  async #end(size?: number): Promise<void> {
    this.#buffer = new Uint8Array();
    this.#endedAtSize = size ?? (await this.#file.size());
  }
}
