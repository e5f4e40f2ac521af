/** One line of output. */
export interface OutputLine {
  /** Offset of its first byte in the output. */
  readonly offset: number;
  /** UTF-8 with invalid bytes replaced, without its newline (nor the carriage return before it). */
  readonly text: string;
}

/** A line longer than this is given in pieces, so that output without newlines cannot fill the memory. */
export const MAX_LINE_BYTES = 64 * 1024;

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Makes whole lines of one output's bytes as they come in order. Bytes are decoded only once a line is whole, so a
 * character that was cut between two batches comes out whole.
 */
export class LineAssembler {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #open: Uint8Array[] = [];
  #openBytes = 0;
  #position: number;

  /** `position` is the offset of the first byte to come; it must begin a line. */
  constructor(position = 0) {
    this.#position = position;
  }

  /** Offset of the next byte that is expected. */
  get position(): number {
    return this.#position;
  }

  /** Takes the bytes that follow and returns the lines that they complete. */
  push(bytes: Uint8Array): OutputLine[] {
    const lines: OutputLine[] = [];
    let from = 0;
    for (let newline = bytes.indexOf(NEWLINE); newline !== -1; newline = bytes.indexOf(NEWLINE, from)) {
      this.#append(bytes.subarray(from, newline));
      lines.push(this.#take());
      this.#position += 1;
      from = newline + 1;
    }
    this.#append(bytes.subarray(from));
    while (this.#openBytes > MAX_LINE_BYTES) lines.push(this.#takePiece());
    return lines;
  }

  /** The line that has no newline, once it is known that none follows. */
  flush(): OutputLine[] {
    return this.#openBytes === 0 ? [] : [this.#take()];
  }

  /** Goes on at a later offset, over bytes that will never come; what was open is returned as a line. */
  skipTo(position: number): OutputLine[] {
    const lines = this.flush();
    this.#position = position;
    return lines;
  }

  #append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#open.push(bytes);
    this.#openBytes += bytes.length;
    this.#position += bytes.length;
  }

  #take(): OutputLine {
    const bytes = this.#joined();
    this.#open = [];
    this.#openBytes = 0;
    const end = bytes.at(-1) === CARRIAGE_RETURN ? bytes.length - 1 : bytes.length;
    return { offset: this.#position - bytes.length, text: this.#decoder.decode(bytes.subarray(0, end)) };
  }

  #takePiece(): OutputLine {
    const bytes = this.#joined();
    const length = pieceLength(bytes);
    const offset = this.#position - bytes.length;
    this.#open = [bytes.subarray(length)];
    this.#openBytes = bytes.length - length;
    return { offset, text: this.#decoder.decode(bytes.subarray(0, length)) };
  }

  #joined(): Uint8Array {
    const [first, ...others] = this.#open;
    if (first !== undefined && others.length === 0) return first;
    const joined = new Uint8Array(this.#openBytes);
    let at = 0;
    for (const chunk of this.#open) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    return joined;
  }
}

/** The longest piece that does not cut a character: a continuation byte is 10xxxxxx, and a character has four at most. */
function pieceLength(bytes: Uint8Array): number {
  for (let length = MAX_LINE_BYTES; length > MAX_LINE_BYTES - 4; length--) {
    if (((bytes[length] ?? 0) & 0xc0) !== 0x80) return length;
  }
  return MAX_LINE_BYTES;
}
