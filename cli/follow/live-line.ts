import { stripVTControlCharacters } from "node:util";
import { textWidth } from "../terminal/text.ts";

/**
 * A line that changes in place below lines that stay. On anything but a terminal, where nothing can be redrawn, it is
 * printed now and then.
 */
export class LiveLine {
  readonly #isTerminal: boolean;
  readonly #everyMs: number;
  #text = "";
  #drawnAt = Number.NEGATIVE_INFINITY;

  constructor(isTerminal: boolean) {
    this.#isTerminal = isTerminal;
    this.#everyMs = isTerminal ? 100 : 5_000;
  }

  /** What the line says now. */
  update(text: string): void {
    this.#text = text;
    const now = performance.now();
    if (now - this.#drawnAt < this.#everyMs) return;
    this.#drawnAt = now;
    if (this.#isTerminal) process.stdout.write(`\r\u001b[2K${clip(text)}`);
    else process.stdout.write(`${text}\n`);
  }

  /** Prints a line that stays, above this one. */
  print(line: string): void {
    if (!this.#isTerminal) {
      process.stdout.write(`${line}\n`);
      return;
    }
    process.stdout.write(`\r\u001b[2K${line}\n${clip(this.#text)}`);
  }

  /** The last text becomes a line that stays. */
  keep(): void {
    const text = this.#text;
    this.#text = "";
    if (text === "") return;
    if (this.#isTerminal) process.stdout.write(`\r\u001b[2K${text}\n`);
    else process.stdout.write(`${text}\n`);
  }
}

/** A line that wraps could not be taken back; one that is too long loses its colours and its end. */
function clip(text: string): string {
  // A pseudo-terminal may say 0 columns.
  const width = process.stdout.columns || 80;
  return textWidth(text) < width ? text : stripVTControlCharacters(text).slice(0, width - 1);
}
