import { DomainError } from "@trainyard/domain";

const SHOWN_CHARACTERS = 24;

/** What is read of a text, from left to right; what does not fit is told with its place. */
export class Cursor {
  readonly text: string;
  readonly #field: string;
  readonly #reason: string;
  #at = 0;

  /** `field` and `reason` are what errors name. */
  constructor(text: string, field: string, reason: string) {
    this.text = text;
    this.#field = field;
    this.#reason = reason;
  }

  /** Where the next token begins. */
  get at(): number {
    this.#at += /^\s*/u.exec(this.text.slice(this.#at))?.[0].length ?? 0;
    return this.#at;
  }

  get atEnd(): boolean {
    return this.at >= this.text.length;
  }

  /** Whether the very next character, with no space before it, is this one; takes it if so. */
  takeAdjacent(character: string): boolean {
    if (this.text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  /** The next token if the pattern, which begins with ^, fits it. */
  take(pattern: RegExp): string | undefined {
    const found = pattern.exec(this.text.slice(this.at))?.[0];
    if (found === undefined || found === "") return undefined;
    this.#at += found.length;
    return found;
  }

  /** Whether these words come next, in any case; takes them if so. */
  takeWords(...words: readonly string[]): boolean {
    return this.take(new RegExp(`^${words.join("\\s+")}(?![\\w.])`, "iu")) !== undefined;
  }

  /** A quoted text in one of these quotes, a quote within it doubled; undefined when none comes next. */
  takeQuoted(quotes: string): string | undefined {
    const begin = this.at;
    const quote = this.text[begin];
    if (quote === undefined || !quotes.includes(quote)) return undefined;
    let value = "";
    for (let at = begin + 1; at < this.text.length; at++) {
      if (this.text[at] !== quote) value += this.text[at];
      else if (this.text[at + 1] === quote) {
        value += quote;
        at += 1;
      } else {
        this.#at = at + 1;
        return value;
      }
    }
    throw this.failure(`a closing ${quote} for the text that begins here`, begin);
  }

  /** The error of what was expected here, or at a place further left. */
  failure(expected: string, at = this.at): DomainError {
    const rest = this.text.slice(at, at + SHOWN_CHARACTERS + 1);
    const shown = rest.length > SHOWN_CHARACTERS ? `${rest.slice(0, SHOWN_CHARACTERS)}…` : rest;
    const got = rest === "" ? "the end" : JSON.stringify(shown);
    // Counted as people count: the first character is 1.
    const position = at + 1;
    const description = `at character ${position}: expected ${expected}, got ${got}`;
    return new DomainError("invalid_argument", this.#reason, `${this.#field}: ${description}.`, {
      violations: [{ field: this.#field, description }],
      metadata: { position: String(position), expected },
    });
  }
}
